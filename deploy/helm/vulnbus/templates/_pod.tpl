{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- /* The parts of a pod that both roles and the test share: {root, role}. */ -}}
{{- define "vulnbus.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "vulnbus.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Directories, never single files: what is replaced in a Secret comes through, and all at once. */ -}}
{{- define "vulnbus.volumes" -}}
- name: config
  configMap: {name: {{ include "vulnbus.fullname" .root }}-{{ .role }}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- range $directory, $secret := (index .root.Values .role).secrets }}
- name: secret-{{ $directory }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- define "vulnbus.mounts" -}}
- {name: config, mountPath: /etc/vulnbus, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- range $directory, $_ := (index .root.Values .role).secrets }}
- {name: secret-{{ $directory }}, mountPath: /run/secrets/{{ $directory }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "vulnbus.spread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "vulnbus.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{- define "vulnbus.template" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- $values := index $root.Values $role }}
{{- $isIngress := eq $role "ingress" }}
metadata:
  labels:
    {{- include "vulnbus.labels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "vulnbus.config" . | sha256sum | trunc 32 }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "vulnbus.serviceAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add (default 0 $values.preStopSeconds) $values.drainSeconds 10 }}
  securityContext:
    {{- include "vulnbus.podSecurity" . | nindent 4 }}
  containers:
    - name: {{ $role }}
      image: {{ include "vulnbus.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: [vulnbus-{{ $role }}]
      args: [-c, /etc/vulnbus/vulnbus.yaml]
      env:
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- if $isIngress }}
        - {name: webhooks, containerPort: 8080}
        {{- end }}
        - {name: admin, containerPort: {{ ternary 9464 9465 $isIngress }}}
      startupProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 2
        {{- /* A spool is read whole before anything listens. */}}
        failureThreshold: {{ ternary 450 60 (and $isIngress $root.Values.ingress.spool.enabled) }}
      livenessProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- if $values.preStopSeconds }}
      lifecycle:
        preStop: {sleep: {seconds: {{ $values.preStopSeconds }}}}
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        {{- include "vulnbus.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- include "vulnbus.mounts" . | nindent 8 }}
        - {name: state, mountPath: /var/lib/vulnbus}
        {{- if and $isIngress $values.tls.enabled }}
        - {name: tls, mountPath: /run/tls, readOnly: true}
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "vulnbus.volumes" . | nindent 4 }}
    {{- if not (and $isIngress $root.Values.ingress.spool.enabled) }}
    - name: state
      emptyDir: {sizeLimit: 64Mi}
    {{- end }}
    {{- if and $isIngress $values.tls.enabled }}
    - name: tls
      secret: {secretName: {{ required "ingress.tls.secretName" $values.tls.secretName }}, defaultMode: 0440}
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if $values.topologySpreadConstraints }}
    {{- toYaml $values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- include "vulnbus.spread" . | nindent 4 }}
    {{- end }}
{{- end }}
