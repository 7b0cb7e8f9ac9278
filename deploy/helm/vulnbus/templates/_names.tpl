{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "vulnbus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* 40 characters leave room for "-enricher-0" and the hash of a StatefulSet's revision. */ -}}
{{- define "vulnbus.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $default := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $default .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "vulnbus.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "vulnbus.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "vulnbus.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}
{{- else }}{{ $image.repository }}:{{ default .Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{- /* What selects the pods of a role: {root, role}. */ -}}
{{- define "vulnbus.selector" -}}
app.kubernetes.io/name: {{ include "vulnbus.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .role }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "vulnbus.labels" -}}
{{ include "vulnbus.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "vulnbus.prefix" -}}
{{- default "vulnbus" .Values.config.topics.prefix }}
{{- end }}

{{- define "vulnbus.group" -}}
{{- default "vulnbus-enricher" .Values.config.enricher.group_id }}
{{- end }}

{{- /* enricher.dedup_window in milliseconds. */ -}}
{{- define "vulnbus.window" -}}
{{- $window := default "7d" .Values.config.enricher.dedup_window }}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 }}
{{- mul (regexFind "^[0-9]+" $window) (index $units (regexFind "[a-z]+$" $window)) }}
{{- end }}
