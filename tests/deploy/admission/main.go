// SPDX-License-Identifier: Apache-2.0
//
// Reads manifests on stdin and judges them as a cluster would: each object is decoded strictly into the types of the
// project whose it is (a field that they do not know is an error), and each pod template is put before the Pod
// Security admission's own code at "restricted". Prints what it saw, one line an object; exit status 1 on any fault.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	security "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// By "apiVersion/kind": where an object of that kind is decoded to.
var kinds = map[string]func() any{
	"v1/ConfigMap":                            func() any { return &core.ConfigMap{} },
	"v1/Pod":                                  func() any { return &core.Pod{} },
	"v1/Service":                              func() any { return &core.Service{} },
	"v1/ServiceAccount":                       func() any { return &core.ServiceAccount{} },
	"apps/v1/Deployment":                      func() any { return &apps.Deployment{} },
	"apps/v1/StatefulSet":                     func() any { return &apps.StatefulSet{} },
	"autoscaling/v2/HorizontalPodAutoscaler":  func() any { return &autoscaling.HorizontalPodAutoscaler{} },
	"networking.k8s.io/v1/Ingress":            func() any { return &networking.Ingress{} },
	"networking.k8s.io/v1/NetworkPolicy":      func() any { return &networking.NetworkPolicy{} },
	"policy/v1/PodDisruptionBudget":           func() any { return &disruption.PodDisruptionBudget{} },
	"gateway.networking.k8s.io/v1/HTTPRoute":  func() any { return &gateway.HTTPRoute{} },
	"keda.sh/v1alpha1/ScaledObject":           func() any { return &scaledObject{} },
	"monitoring.coreos.com/v1/ServiceMonitor": func() any { return &monitoring.ServiceMonitor{} },
	"monitoring.coreos.com/v1/PrometheusRule": func() any { return &monitoring.PrometheusRule{} },
	"kafka.strimzi.io/v1/KafkaTopic":          func() any { return &kafkaTopic{} },
	"kafka.strimzi.io/v1/KafkaUser":           func() any { return &kafkaUser{} },
	"kafka.strimzi.io/v1beta2/KafkaTopic":     func() any { return &kafkaTopic{} },
	"kafka.strimzi.io/v1beta2/KafkaUser":      func() any { return &kafkaUser{} },
}

func podOf(object any) *core.PodTemplateSpec {
	switch o := object.(type) {
	case *core.Pod:
		return &core.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	case *apps.Deployment:
		return &o.Spec.Template
	case *apps.StatefulSet:
		return &o.Spec.Template
	}
	return nil
}

func restricted(pod *core.PodTemplateSpec) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return err
	}
	level := security.LevelVersion{Level: security.LevelRestricted, Version: security.LatestVersion()}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		return fmt.Errorf("pod security: %s", result.ForbiddenDetail())
	}
	return nil
}

func judge(document []byte) (string, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return "?", err
	}
	kind := head.APIVersion + "/" + head.Kind
	name := kind + " " + head.Metadata.Name
	empty, known := kinds[kind]
	if !known {
		return name, errors.New("no types for this kind")
	}
	object := empty()
	// As an API server reads it: no field twice, none unknown, a number is no text.
	plain, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return name, err
	}
	faults, err := json.UnmarshalStrict(plain, object)
	if err := errors.Join(append(faults, err)...); err != nil {
		return name, err
	}
	if pod := podOf(object); pod != nil {
		return name, restricted(pod)
	}
	return name, nil
}

func main() {
	failed := false
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		name, err := judge(document)
		if err != nil {
			failed = true
			fmt.Printf("%s: %v\n", name, err)
			continue
		}
		fmt.Printf("%s: ok\n", name)
	}
	if failed {
		os.Exit(1)
	}
}
