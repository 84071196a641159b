{{/*
The Deployment of one program.
@param list of the root and the component: worker or watcher
*/}}
{{- define "kubeip-temporal.deployment" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $values := index $root.Values $component }}
{{- $build := eq $component "worker" | ternary (include "kubeip-temporal.buildLabel" $root) "" }}
{{- $selected := merge (dict "app.kubernetes.io/component" $component) (ternary (dict "kubeip-temporal.io/build" $build) dict (ne $build "")) }}
{{- /* Helm leaves that of the version before where it is. Who installs the new one removes it when it is drained. */}}
{{- $kept := ternary (dict "helm.sh/resource-policy" "keep") dict (ne $build "") }}
{{- $scaled := and (eq $component "worker") (or $values.autoscaling.hpa.enabled $values.autoscaling.keda.enabled) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ eq $component "worker" | ternary (include "kubeip-temporal.workerName" $root) (printf "%s-%s" (include "kubeip-temporal.fullname" $root) $component) }}
  namespace: {{ include "kubeip-temporal.namespace" $root }}
  labels:
    {{- include "kubeip-temporal.labels" (list $root (merge (dict "app.kubernetes.io/component" $component) (default dict $values.labels))) | nindent 4 }}
  {{- include "kubeip-temporal.annotations" (list $root (merge (deepCopy $values.annotations) $kept)) | nindent 2 }}
spec:
  {{- if not $scaled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ $root.Values.revisionHistoryLimit }}
  strategy:
    {{- include "kubeip-temporal.strategy" $values.strategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "kubeip-temporal.selectorLabels" $root | nindent 6 }}
      {{- toYaml $selected | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "kubeip-temporal.labels" (list $root (merge (deepCopy $selected) (default dict $values.podLabels))) | nindent 8 }}
      annotations:
        {{- $main := dict "kubectl.kubernetes.io/default-container" $component }}
        {{- toYaml (merge (deepCopy $values.podAnnotations) $root.Values.podAnnotations $main) | nindent 8 }}
    spec:
      serviceAccountName: {{ include "kubeip-temporal.serviceAccountName" (list $root $component) }}
      automountServiceAccountToken: true
      # Variables of a Service named "temporal" would look like settings of the Temporal SDK.
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- include "kubeip-temporal.podOptions" (list $root $values) | nindent 6 }}
      affinity:
        {{- include "kubeip-temporal.affinity" (list $root $component) | nindent 8 }}
      {{- if $values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- include "kubeip-temporal.topologySpreadConstraints" (list $root $component) | nindent 8 }}
      {{- end }}
      {{- $registers := and $root.Values.temporal.registerSearchAttributes (not $root.Values.hook.enabled) }}
      {{- if or $registers $values.initContainers }}
      initContainers:
        {{- if $registers }}
        # In place of the hook.
        {{- include "kubeip-temporal.registerContainer" (list $root $values) | nindent 8 }}
        {{- end }}
        {{- with $values.initContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ $component }}
          image: {{ include "kubeip-temporal.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ $component }}, --config, /etc/kubeip/kubeip.yaml]
          env:
            # For `kubectl exec … -- kubeip`.
            - { name: KUBEIP_CONFIG, value: /etc/kubeip/kubeip.yaml }
            {{- include "kubeip-temporal.temporalEnv" $root | nindent 12 }}
            {{- if and (eq $component "worker") $values.versioning.enabled }}
            - name: TEMPORAL_WORKER_BUILD_ID
              value: {{ include "kubeip-temporal.buildId" $root | quote }}
            {{- end }}
            {{- with $values.nodeOptions }}
            - name: NODE_OPTIONS
              value: {{ . | quote }}
            {{- end }}
            {{- with $values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- with $values.envFrom }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            - { name: http, containerPort: {{ include "kubeip-temporal.port" (list $root $component) }} }
          startupProbe:
            {{- include "kubeip-temporal.probe" (list $values.startupProbe "/healthz") | nindent 12 }}
          livenessProbe:
            {{- include "kubeip-temporal.probe" (list $values.livenessProbe "/healthz") | nindent 12 }}
          readinessProbe:
            {{- include "kubeip-temporal.probe" (list $values.readinessProbe "/readyz") | nindent 12 }}
          {{- with $values.lifecycle }}
          lifecycle:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- toYaml $root.Values.securityContext | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /etc/kubeip, readOnly: true }
            {{- include "kubeip-temporal.temporalVolumeMounts" $root | nindent 12 }}
            {{- with $values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
        {{- with $values.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        - name: config
          configMap: { name: {{ include "kubeip-temporal.configName" $root }} }
        {{- include "kubeip-temporal.temporalVolumes" $root | nindent 8 }}
        {{- with $values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end }}

{{/* @param strategy of the values. `Recreate` has no rollingUpdate, which the default would leave there. */}}
{{- define "kubeip-temporal.strategy" -}}
{{- if eq (.type | default "RollingUpdate") "Recreate" }}
{{- toYaml (omit . "rollingUpdate") }}
{{- else }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* @param list of a probe of the values and the path that is asked for, unless the probe has a handler of its own */}}
{{- define "kubeip-temporal.probe" -}}
{{- $probe := index . 0 }}
{{- if not (or $probe.httpGet $probe.exec $probe.tcpSocket $probe.grpc) }}
{{- $probe = merge (dict "httpGet" (dict "path" (index . 1) "port" "http")) $probe }}
{{- end }}
{{- toYaml $probe }}
{{- end }}
