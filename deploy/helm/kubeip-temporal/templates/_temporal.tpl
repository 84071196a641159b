{{/* The connection to Temporal, in the variables of its SDKs. Secrets are referred to, and never made by the chart. */}}

{{- define "kubeip-temporal.temporalEnv" -}}
- name: TEMPORAL_ADDRESS
  value: {{ .Values.temporal.address | quote }}
- name: TEMPORAL_NAMESPACE
  value: {{ .Values.temporal.namespace | quote }}
{{- with .Values.temporal.apiKey }}
{{- if .secretName }}
- name: TEMPORAL_API_KEY
  valueFrom:
    secretKeyRef: { name: {{ .secretName | quote }}, key: {{ .key | quote }} }
{{- end }}
{{- end }}
{{- with .Values.temporal.tls }}
{{- if or .enabled .clientSecretName .caSecretName .serverName }}
- name: TEMPORAL_TLS
  value: "true"
{{- end }}
{{- if .serverName }}
- name: TEMPORAL_TLS_SERVER_NAME
  value: {{ .serverName | quote }}
{{- end }}
{{- if .clientSecretName }}
- name: TEMPORAL_TLS_CLIENT_CERT_PATH
  value: /etc/kubeip-temporal-client/tls.crt
- name: TEMPORAL_TLS_CLIENT_KEY_PATH
  value: /etc/kubeip-temporal-client/tls.key
{{- end }}
{{- if .caSecretName }}
- name: TEMPORAL_TLS_SERVER_CA_CERT_PATH
  value: /etc/kubeip-temporal-ca/{{ .caKey }}
{{- end }}
{{- end }}
{{- end }}

{{- define "kubeip-temporal.temporalVolumeMounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if .Values.temporal.tls.clientSecretName }}
- { name: temporal-client, mountPath: /etc/kubeip-temporal-client, readOnly: true }
{{- end }}
{{- if .Values.temporal.tls.caSecretName }}
- { name: temporal-ca, mountPath: /etc/kubeip-temporal-ca, readOnly: true }
{{- end }}
{{- end }}

{{- define "kubeip-temporal.temporalVolumes" -}}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- with .Values.temporal.tls }}
{{- if .clientSecretName }}
- name: temporal-client
  secret: { secretName: {{ .clientSecretName | quote }}, defaultMode: 0440 }
{{- end }}
{{- if .caSecretName }}
- name: temporal-ca
  secret: { secretName: {{ .caSecretName | quote }}, defaultMode: 0440 }
{{- end }}
{{- end }}
{{- end }}

{{- define "kubeip-temporal.buildId" -}}
{{- $image := .Values.image }}
{{- $ofImage := default .Chart.AppVersion $image.tag }}
{{- if $image.digest }}{{ $ofImage = trimPrefix "sha256:" $image.digest | trunc 12 }}{{ end }}
{{- default $ofImage .Values.worker.versioning.buildId }}
{{- end }}

{{/*
What marks the worker's Deployment of a version, in its name and labels; empty without Worker Versioning. Each version has a Deployment
of its own: workflows may be pinned to the one before, and may go back to it. What is too long ends with a hash, since versions may begin alike.
*/}}
{{- define "kubeip-temporal.buildLabel" -}}
{{- if .Values.worker.versioning.enabled }}
{{- $id := include "kubeip-temporal.buildId" . }}
{{- $label := $id | lower | replace "." "-" | replace "_" "-" | replace "+" "-" | trimAll "-" }}
{{- if gt (len $label) 16 }}
{{- $label = printf "%s-%s" (trunc 10 $label | trimAll "-") (sha256sum $id | trunc 5) }}
{{- end }}
{{- $label }}
{{- end }}
{{- end }}

{{- define "kubeip-temporal.workerName" -}}
{{- $build := include "kubeip-temporal.buildLabel" . }}
{{- printf "%s-worker" (include "kubeip-temporal.fullname" .) }}
{{- if $build }}-{{ $build }}{{ end }}
{{- end }}

{{/* The Worker Deployment of a task queue, as the worker names it. */}}
{{- define "kubeip-temporal.clusterDeployment" -}}
{{- printf "kubeip/cluster/%s" (replace "." "_" .Values.config.cluster) }}
{{- end }}
