{{/* Rules of egress. */}}

{{/* Names, and Temporal's frontend. */}}
{{- define "kubeip-temporal.egressToTemporal" -}}
# Names.
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
# Temporal.
{{ include "kubeip-temporal.egress" (dict "ports" (list (splitList ":" .Values.temporal.address | last | int)) "to" .Values.networkPolicy.temporal.to) }}
{{- end }}

{{/* @param dict of `ports`, and of `to`: peers, all of them if there are none */}}
{{- define "kubeip-temporal.egress" -}}
- ports:
    {{- range .ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
