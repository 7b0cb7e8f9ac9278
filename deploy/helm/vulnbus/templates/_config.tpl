{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- /* vulnbus.yaml for one role, {root, role}: what is configured, and over it what the pod's own shape settles. Each
role sees only its own secrets, since those of the other are not mounted. */ -}}
{{- define "vulnbus.config" -}}
{{- $values := .root.Values }}
{{- $config := deepCopy $values.config }}
{{- $other := ternary "enricher" "ingress" (eq .role "ingress") }}
{{- $_ := unset $config $other }}
{{- /* `off` without quotes is a false of YAML 1.1. */}}
{{- if and (hasKey $config "sandbox") (eq (toString $config.sandbox) "false") }}
{{- $_ := set $config "sandbox" "off" }}
{{- end }}
{{- $properties := mergeOverwrite (dict) $config.kafka.properties (index $values .role).kafkaProperties }}
{{- $_ := set $config.kafka "properties" $properties }}
{{- if $values.strimzi.topics.enabled }}
{{- $_ := set $config.topics "create" false }}
{{- end }}
{{- $own := include (printf "vulnbus.config.%s" .role) .root | fromYaml }}
{{- $_ := set $config .role (mergeOverwrite (index $config .role) $own) }}
{{- $sources := list }}
{{- range $values.sources }}
{{- if eq $.role "ingress" }}
{{- $sources = append $sources (omit . "api" "api_jwt" "api_oauth2") }}
{{- else }}
{{- $sources = append $sources (set (omit . "hook" "signature") "hook" (dict "secret" "known.to.the.ingress.alone")) }}
{{- end }}
{{- end }}
{{- toYaml (set $config "sources" $sources) }}
{{- end }}

{{- define "vulnbus.config.ingress" -}}
{{- with .Values.ingress -}}
listen: 0.0.0.0:8080
admin: 0.0.0.0:9464
state_dir: /var/lib/vulnbus
drain_within: {{ .drainSeconds }}s
{{- if .spool.enabled }}
spool: {path: /var/lib/vulnbus/spool.db, max_size: {{ .spool.maxSize }}}
{{- end }}
{{- if .tls.enabled }}
tls:
  certificate: /run/tls/tls.crt
  key: /run/tls/tls.key
  {{- if .tls.clientCA }}
  client_ca: /run/tls/ca.crt
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "vulnbus.config.enricher" -}}
admin: 0.0.0.0:9465
instance_id: ${env:POD_NAME}
drain_within: {{ .Values.enricher.drainSeconds }}s
{{- end }}
