{{- if .Values.audit.enabled }}
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: {{ .Values.audit.level }}
{{- end }}
