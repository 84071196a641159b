{{/* What values.schema.json cannot say, since it joins several values. */}}
{{- define "kubeip-temporal.check" -}}
{{- if not .Values.temporal.address }}
{{- fail "temporal.address is not set. Write host:port of Temporal's frontend, such as temporal-frontend.temporal.svc:7233." }}
{{- end }}
{{- if not .Values.image.repository }}
{{- fail "image.repository is not set. A released chart has it; with the chart from a clone, name the registry and the image that you built (docs/image.md), such as registry.example.com/kubeip-temporal." }}
{{- end }}
{{- range $component := list "worker" "watcher" }}
{{- if eq (include "kubeip-temporal.port" (list $ $component)) "0" }}
{{- fail (printf "config.http.%sPort is 0, any free port: probes and metrics need one that is known. Leave it out, or set one." $component) }}
{{- end }}
{{- end }}
{{- $host := dig "http" "host" "" .Values.config }}
{{- if has $host (list "localhost" "127.0.0.1" "::1") }}
{{- fail (printf "config.http.host is %s, where the kubelet's probes cannot reach a pod. Leave it out, or set \"::\" in a cluster of IPv6." $host) }}
{{- end }}
{{- $shutdown := dig "worker" "shutdownGraceTime" "20s" .Values.config }}
{{- $needed := include "kubeip-temporal.seconds" $shutdown | int | add 10 }}
{{- $grace := .Values.worker.terminationGracePeriodSeconds | int64 }}
{{- if lt $grace $needed }}
{{- fail (printf "worker.terminationGracePeriodSeconds is %d, too short for config.worker.shutdownGraceTime %s: the kubelet would kill the worker while calls to the cloud are under way. Set it to %d or more, or shutdownGraceTime to less." $grace $shutdown $needed) }}
{{- end }}
{{- range $component := list "worker" "watcher" "hook" }}
{{- $values := index $.Values $component }}
{{- $taken := list "config" "tmp" "temporal-client" "temporal-ca" }}
{{- range $values.extraVolumes }}
{{- if has .name $taken }}
{{- fail (printf "%s.extraVolumes has a volume %q, a name that the chart uses itself. Choose another one." $component .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- $labels := dict "commonLabels" .Values.commonLabels "hook.podLabels" .Values.hook.podLabels }}
{{- range $part := list "worker" "watcher" }}
{{- range $key := list "labels" "podLabels" }}
{{- $labels = set $labels (printf "%s.%s" $part $key) (index $.Values $part $key) }}
{{- end }}
{{- end }}
{{- range $part, $values := .Values.monitoring }}
{{- $labels = set $labels (printf "monitoring.%s.labels" $part) $values.labels }}
{{- end }}
{{- range $path, $given := $labels }}
{{- $selected := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "kubeip-temporal.io/build" }}
{{- if eq $path "hook.podLabels" }}{{ $selected = append $selected "app.kubernetes.io/part-of" }}{{ end }}
{{- range $key := $selected }}
{{- if hasKey (default dict $given) $key }}
{{- fail (printf "%s has the label %s, by which the chart finds its own pods and objects. Leave it out, or choose another one." $path $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.worker.autoscaling.hpa.enabled .Values.worker.autoscaling.keda.enabled }}
{{- fail "worker.autoscaling.hpa.enabled and worker.autoscaling.keda.enabled are both true: two would set the replicas. Choose one." }}
{{- end }}
{{- /* What KEDA's Temporal scaler can do: TLS with an API key or a client certificate only, an authority with the latter only. */}}
{{- $tls := .Values.temporal.tls }}
{{- if and .Values.worker.autoscaling.keda.enabled (not $tls.clientSecretName) }}
{{- if $tls.caSecretName }}
{{- fail "worker.autoscaling.keda.enabled and temporal.tls.caSecretName are set without temporal.tls.clientSecretName: KEDA reads an authority only beside a client certificate. Set one, or scale by worker.autoscaling.hpa." }}
{{- end }}
{{- if and (or $tls.enabled $tls.serverName) (not .Values.temporal.apiKey.secretName) }}
{{- fail "worker.autoscaling.keda.enabled and temporal.tls are set, but neither temporal.tls.clientSecretName nor temporal.apiKey.secretName: KEDA would ask Temporal without TLS. Set one of them, or scale by worker.autoscaling.hpa." }}
{{- end }}
{{- end }}
{{- if and .Values.temporal.apiKey.secretName .Values.temporal.tls.clientSecretName }}
{{- fail "temporal.apiKey.secretName and temporal.tls.clientSecretName are both set: a Temporal namespace takes API keys or client certificates. Choose one." }}
{{- end }}
{{- end }}
