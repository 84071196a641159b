{{/* Names and labels. */}}

{{- define "kubeip.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Room is left for `-register-search-attributes`: a pod's name carries it as a label. */}}
{{- define "kubeip.fullname" -}}
{{- $name := include "kubeip.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 35 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 35 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 35 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "kubeip.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kubeip.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kubeip.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "kubeip.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* @param list of the root and the component: worker or watcher */}}
{{- define "kubeip.serviceAccountName" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $account := (index $root.Values $component).serviceAccount }}
{{- if $account.create }}
{{- default (printf "%s-%s" (include "kubeip.fullname" $root) $component) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}

{{- define "kubeip.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Whole seconds of a duration in Go's notation. */}}
{{- define "kubeip.seconds" -}}
{{- $epoch := toDate "2006-01-02" "2000-01-01" }}
{{- sub (mustDateModify . $epoch | unixEpoch) (unixEpoch $epoch) }}
{{- end }}

{{/* The programs' own default ports: config/defaults.ts. A test holds them together. */}}
{{- define "kubeip.port" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $http := $root.Values.config.http | default dict }}
{{- $key := printf "%sPort" $component }}
{{- if hasKey $http $key }}{{ index $http $key | int }}{{ else }}{{ ternary 8080 8081 (eq $component "worker") }}{{ end }}
{{- end }}
