{{/* Names and labels. */}}

{{- define "kubeip-temporal.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Room is left for what Kubernetes adds to the name of a Deployment to name its pods. */}}
{{- define "kubeip-temporal.fullname" -}}
{{- $name := include "kubeip-temporal.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 35 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 35 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 35 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "kubeip-temporal.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "kubeip-temporal.configFile" -}}
{{ toYaml .Values.config }}
{{- end }}

{{/* Named by its content: another configuration is another ConfigMap, and a pod never sees the file of another revision. */}}
{{- define "kubeip-temporal.configName" -}}
{{- printf "%s-config-%s" (include "kubeip-temporal.fullname" .) (include "kubeip-temporal.configFile" . | sha256sum | trunc 10) }}
{{- end }}

{{/* @param list of the root and annotations of one object. @returns the field `annotations`, or nothing */}}
{{- define "kubeip-temporal.annotations" -}}
{{- with merge (deepCopy (index . 1)) (index . 0).Values.commonAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "kubeip-temporal.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kubeip-temporal.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
What selectors ask for cannot be changed (_checks.tpl). Else the labels of one object win over `commonLabels`, and those over the chart's.
@param list of the root and labels of one object
*/}}
{{- define "kubeip-temporal.labels" -}}
{{- $root := index . 0 }}
{{- $chart := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- toYaml (merge (include "kubeip-temporal.selectorLabels" $root | fromYaml) (default dict (index . 1)) (default dict $root.Values.commonLabels) $chart) }}
{{- end }}

{{/*
Labels of pods that run to their end: never the selector labels, so that no NetworkPolicy, disruption budget or monitor of the
programs is for them.
@param list of the root and the component: prepare or test
*/}}
{{- define "kubeip-temporal.hookSelectorLabels" -}}
app.kubernetes.io/part-of: {{ include "kubeip-temporal.fullname" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* @param as above */}}
{{- define "kubeip-temporal.hookPodLabels" -}}
{{- $values := (index . 0).Values }}
{{- toYaml (merge (include "kubeip-temporal.hookSelectorLabels" . | fromYaml) (default dict $values.hook.podLabels) (default dict $values.commonLabels)) }}
{{- end }}

{{/*
One that failed stays, so that its log can be read.
@param list of the root, the weight, of which lower ones come first, and annotations of one object
*/}}
{{- define "kubeip-temporal.hookAnnotations" -}}
{{- $hook := dict
  "helm.sh/hook" "pre-install,pre-upgrade"
  "helm.sh/hook-weight" (index . 1)
  "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" }}
{{- toYaml (merge $hook (default dict (index . 2)) (index . 0).Values.commonAnnotations) }}
{{- end }}

{{/* @param list of the root and the component: worker or watcher */}}
{{- define "kubeip-temporal.serviceAccountName" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $account := (index $root.Values $component).serviceAccount }}
{{- if $account.create }}
{{- default (printf "%s-%s" (include "kubeip-temporal.fullname" $root) $component) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}

{{- define "kubeip-temporal.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Whole seconds of a duration in Go's notation. */}}
{{- define "kubeip-temporal.seconds" -}}
{{- $epoch := toDate "2006-01-02" "2000-01-01" }}
{{- sub (mustDateModify . $epoch | unixEpoch) (unixEpoch $epoch) }}
{{- end }}

{{/* The programs' own default ports: config/defaults.ts. A test holds them together. */}}
{{- define "kubeip-temporal.port" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $http := $root.Values.config.http | default dict }}
{{- $key := printf "%sPort" $component }}
{{- if hasKey $http $key }}{{ index $http $key | int }}{{ else }}{{ ternary 8080 8081 (eq $component "worker") }}{{ end }}
{{- end }}
