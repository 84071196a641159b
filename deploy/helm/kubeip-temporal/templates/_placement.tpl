{{/*
Where pods may run. A node that a pool selects gets its address from the worker: one that runs there would change the address
that it speaks through, or, on Compute Engine, remove it before it can ask for another one (docs/install.md).
*/}}

{{/*
What excludes the nodes of one pool: a JSON list of requirements of which any one is enough, each the opposite of one of the
pool's. Where a label is no whole number, neither Gt nor Lt holds: such a node is avoided, too.
*/}}
{{- define "kubeip-temporal.oppositesOf" -}}
{{- $opposite := dict "In" "NotIn" "NotIn" "In" "Exists" "DoesNotExist" "DoesNotExist" "Exists" }}
{{- $found := list }}
{{- range $key, $value := .matchLabels }}
{{- $found = append $found (dict "key" $key "operator" "NotIn" "values" (list $value)) }}
{{- end }}
{{- range .matchExpressions }}
{{- if or (eq .operator "Gt") (eq .operator "Lt") }}
{{- $bound := index .values 0 | int64 }}
{{- $found = append $found (dict "key" .key "operator" "DoesNotExist") }}
{{- if eq .operator "Gt" }}
{{- $found = append $found (dict "key" .key "operator" "Lt" "values" (list (add1 $bound | toString))) }}
{{- else }}
{{- $found = append $found (dict "key" .key "operator" "Gt" "values" (list (sub $bound 1 | toString))) }}
{{- end }}
{{- else if .values }}
{{- $found = append $found (dict "key" .key "operator" (index $opposite .operator) "values" .values) }}
{{- else }}
{{- $found = append $found (dict "key" .key "operator" (index $opposite .operator)) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/*
The terms of the node affinity, as JSON: those of the user's own, each joined by what excludes every pool's nodes. Terms are
alternatives, so a pool with several requirements makes several terms of each.
*/}}
{{- define "kubeip-temporal.nodeSelectorTerms" -}}
{{- $terms := default (list dict) .terms }}
{{- range .pools }}
{{- $ways := include "kubeip-temporal.oppositesOf" .nodeSelector | fromJsonArray }}
{{- if not $ways }}
{{- fail (printf "Pool %q selects every node of the cluster, so no node is left for worker and watcher to run on. Narrow its nodeSelector, or set avoidPoolNodes to false: docs/install.md says what that costs." .name) }}
{{- end }}
{{- $next := list }}
{{- range $term := $terms }}
{{- $expressions := $term.matchExpressions | default list }}
{{- $done := false }}
{{- range $ways }}
{{- if has (toJson .) (splitList "\n" (include "kubeip-temporal.jsonLines" $expressions)) }}{{ $done = true }}{{ end }}
{{- end }}
{{- if $done }}
{{- $next = append $next $term }}
{{- else }}
{{- range $ways }}
{{- $next = append $next (merge (dict "matchExpressions" (append $expressions .)) $term) }}
{{- end }}
{{- end }}
{{- end }}
{{- $terms = $next }}
{{- if gt (len $terms) 100 }}
{{- fail (printf "The pools' selectors are too manifold to be turned into a node affinity (more than 100 terms at pool %q). Set avoidPoolNodes to false, and worker.affinity and watcher.affinity to one of your own that keeps off their nodes." .name) }}
{{- end }}
{{- end }}
{{- toJson $terms }}
{{- end }}

{{- define "kubeip-temporal.jsonLines" -}}
{{- range . }}{{ toJson . }}{{ "\n" }}{{ end }}
{{- end }}

{{/* @param list of the root and the component */}}
{{- define "kubeip-temporal.affinity" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $own := (index $root.Values $component).affinity }}
{{- $labels := merge (dict "app.kubernetes.io/component" $component) (include "kubeip-temporal.selectorLabels" $root | fromYaml) }}
{{- $apart := dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict
  "weight" 100
  "podAffinityTerm" (dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" $labels)))) }}
{{- $affinity := merge (deepCopy (omit $own "podAntiAffinity")) (dict "podAntiAffinity" (default $apart $own.podAntiAffinity)) }}
{{- include "kubeip-temporal.avoidingAffinity" (list $root $affinity) }}
{{- end }}

{{/*
An affinity of the user's, joined by what keeps off the nodes of the pools.
@param list of the root and the affinity
*/}}
{{- define "kubeip-temporal.avoidingAffinity" -}}
{{- $root := index . 0 }}{{ $affinity := deepCopy (index . 1) }}
{{- if $root.Values.avoidPoolNodes }}
{{- $required := dig "nodeAffinity" "requiredDuringSchedulingIgnoredDuringExecution" "nodeSelectorTerms" list $affinity }}
{{- $terms := include "kubeip-temporal.nodeSelectorTerms" (dict "terms" $required "pools" $root.Values.config.pools) | fromJsonArray }}
{{- $avoid := dict "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) }}
{{- $affinity = set $affinity "nodeAffinity" (merge $avoid (default dict $affinity.nodeAffinity)) }}
{{- end }}
{{- with $affinity }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* @param list of the root and the component */}}
{{- define "kubeip-temporal.topologySpreadConstraints" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $labels := merge (dict "app.kubernetes.io/component" $component) (include "kubeip-temporal.selectorLabels" $root | fromYaml) }}
{{- $found := list }}
{{- range (index $root.Values $component).topologySpreadConstraints }}
{{- $found = append $found (merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" $labels))) }}
{{- end }}
{{- toYaml $found }}
{{- end }}
