{{/*
The Deployment of one program.
@param list of the root and the component: worker or watcher
*/}}
{{- define "kubeip.deployment" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $values := index $root.Values $component }}
{{- $scaled := and (eq $component "worker") (or $values.autoscaling.hpa.enabled $values.autoscaling.keda.enabled) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "kubeip.fullname" $root }}-{{ $component }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "kubeip.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $component }}
spec:
  {{- if not $scaled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  # The old pods go on until the new ones are ready: with a configuration that a program refuses, nothing is interrupted.
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  selector:
    matchLabels:
      {{- include "kubeip.selectorLabels" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $component }}
  template:
    metadata:
      labels:
        {{- include "kubeip.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ $component }}
        # The programs read their configuration at the start.
        checksum/config: {{ include "kubeip.configFile" $root | sha256sum }}
        {{- with merge (deepCopy $values.podAnnotations) $root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "kubeip.serviceAccountName" (list $root $component) }}
      automountServiceAccountToken: true
      # Variables of a Service named "temporal" would look like settings of the Temporal SDK.
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      affinity:
        {{- include "kubeip.affinity" (list $root $component) | nindent 8 }}
      {{- if $values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- include "kubeip.topologySpreadConstraints" (list $root $component) | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml $root.Values.podSecurityContext | nindent 8 }}
      containers:
        - name: {{ $component }}
          image: {{ include "kubeip.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ $component }}, --config, /etc/kubeip/kubeip.yaml]
          env:
            # For `kubectl exec … -- kubeip`.
            - { name: KUBEIP_CONFIG, value: /etc/kubeip/kubeip.yaml }
            {{- include "kubeip.temporalEnv" $root | nindent 12 }}
            {{- if and (eq $component "worker") $values.versioning.enabled }}
            - name: TEMPORAL_DEPLOYMENT_NAME
              value: {{ include "kubeip.deploymentName" $root | quote }}
            - name: TEMPORAL_WORKER_BUILD_ID
              value: {{ include "kubeip.buildId" $root | quote }}
            {{- end }}
            {{- with $values.nodeOptions }}
            - name: NODE_OPTIONS
              value: {{ . | quote }}
            {{- end }}
            {{- with $values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - { name: http, containerPort: {{ include "kubeip.port" (list $root $component) }} }
          # Connections are made and checked before anything is served.
          startupProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 2
            failureThreshold: 60
          livenessProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            periodSeconds: 5
            timeoutSeconds: 5
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- toYaml $root.Values.securityContext | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /etc/kubeip, readOnly: true }
            {{- include "kubeip.temporalVolumeMounts" $root | nindent 12 }}
      volumes:
        - name: config
          configMap: { name: {{ include "kubeip.fullname" $root }}-config }
        {{- include "kubeip.temporalVolumes" $root | nindent 8 }}
{{- end }}
