{{/* What the pods of programs, hook and test have in common. */}}

{{/* @param list of the root and the values of a program or of the hook */}}
{{- define "kubeip-temporal.podOptions" -}}
{{- $root := index . 0 }}{{ $values := index . 1 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- range $key := list "dnsConfig" "hostAliases" "nodeSelector" "tolerations" }}
{{- with index $values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- end }}

{{/*
The container that registers the search attributes.
@param list of the root and the values of a program or of the hook, which may bring variables and volumes
*/}}
{{- define "kubeip-temporal.registerContainer" -}}
{{- $root := index . 0 }}
- name: register-search-attributes
  args: [worker, --register-search-attributes]
  {{- include "kubeip-temporal.toolContainer" . | nindent 2 }}
{{- end }}

{{/* All of a container that runs to its end, but name, arguments and the configuration's volume. */}}
{{- define "kubeip-temporal.toolContainer" -}}
{{- $root := index . 0 }}{{ $values := index . 1 -}}
image: {{ include "kubeip-temporal.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
env:
  - { name: KUBEIP_CONFIG, value: /etc/kubeip/kubeip.yaml }
  {{- include "kubeip-temporal.temporalEnv" $root | nindent 2 }}
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $root.Values.hook.resources | nindent 2 }}
securityContext:
  {{- toYaml $root.Values.securityContext | nindent 2 }}
volumeMounts:
  - { name: config, mountPath: /etc/kubeip, readOnly: true }
  {{- include "kubeip-temporal.temporalVolumeMounts" $root | nindent 2 }}
  {{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
