package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// objects are those of a file, by kind.
type objects struct {
	namespace  core.Namespace
	account    core.ServiceAccount
	config     core.ConfigMap
	deployment apps.Deployment
	service    core.Service
	budget     policy.PodDisruptionBudget
	network    networking.NetworkPolicy
}

// kubernetes reads a file, checks it, and prints avatard's settings in it.
func kubernetes(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var o objects
	kinds := map[string]any{"Namespace": &o.namespace, "ServiceAccount": &o.account, "ConfigMap": &o.config, "Deployment": &o.deployment,
		"Service": &o.service, "PodDisruptionBudget": &o.budget, "NetworkPolicy": &o.network}
	for i, part := range bytes.Split(text, []byte("\n---\n")) {
		var head struct {
			APIVersion, Kind string
		}
		if err := yaml.Unmarshal(part, &head); err != nil {
			return fmt.Errorf("object %d: %w", i+1, err)
		}
		into, ok := kinds[head.Kind]
		if !ok {
			return fmt.Errorf("object %d: another %s, or a kind that is not known here", i+1, head.Kind)
		}
		delete(kinds, head.Kind)
		if err := yaml.UnmarshalStrict(part, into); err != nil {
			return fmt.Errorf("%s: %w", head.Kind, err)
		}
	}
	if len(kinds) > 0 {
		return fmt.Errorf("none of: %v", slices.Sorted(maps.Keys(kinds)))
	}
	fmt.Print(o.config.Data["avatard.yaml"])
	return errors.Join(o.ties(), o.restricted())
}

// ties checks what objects say of each other.
func (o *objects) ties() error {
	var faults []error
	want := func(ok bool, text string) {
		if !ok {
			faults = append(faults, errors.New(text))
		}
	}
	pod := o.deployment.Spec.Template
	labels := pod.Labels
	for what, selector := range map[string]map[string]string{
		"Deployment": o.deployment.Spec.Selector.MatchLabels, "Service": o.service.Spec.Selector, "PodDisruptionBudget": o.budget.Spec.Selector.MatchLabels,
		"NetworkPolicy": o.network.Spec.PodSelector.MatchLabels, "topology": pod.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		want(len(selector) > 0 && maps.Equal(selector, labels), what+" selects other pods than those of the Deployment")
	}
	c := pod.Spec.Containers[0]
	var ports []string
	for _, p := range c.Ports {
		ports = append(ports, p.Name)
	}
	named := []intstr.IntOrString{o.service.Spec.Ports[0].TargetPort, c.LivenessProbe.HTTPGet.Port, c.ReadinessProbe.HTTPGet.Port, c.StartupProbe.HTTPGet.Port}
	for _, rule := range o.network.Spec.Ingress {
		for _, p := range rule.Ports {
			named = append(named, *p.Port)
		}
	}
	for _, port := range named {
		want(slices.Contains(ports, port.StrVal), "no port "+port.String())
	}
	want(c.LivenessProbe.HTTPGet.Path == "/healthz" && c.ReadinessProbe.HTTPGet.Path == "/readyz", "probes ask for other paths")
	want(pod.Spec.Volumes[0].ConfigMap.Name == o.config.Name && pod.Spec.ServiceAccountName == o.account.Name, "names of other objects")
	want(int32(o.budget.Spec.MinAvailable.IntValue()) < *o.deployment.Spec.Replicas, "no pod may be taken away")
	for _, namespace := range []string{o.account.Namespace, o.config.Namespace, o.deployment.Namespace, o.service.Namespace, o.budget.Namespace, o.network.Namespace} {
		want(namespace == o.namespace.Name, "an object in namespace "+namespace)
	}
	return errors.Join(faults...)
}

// restricted checks the rules of https://kubernetes.io/docs/concepts/security/pod-security-standards/ that the pod has to say something for.
func (o *objects) restricted() error {
	pod := o.deployment.Spec.Template.Spec
	switch p := pod.SecurityContext; {
	case p == nil || p.RunAsNonRoot == nil || !*p.RunAsNonRoot, p.RunAsUser == nil || *p.RunAsUser == 0:
		return errors.New("the pod may run as root")
	case p.SeccompProfile == nil || p.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault:
		return errors.New("the pod has no seccomp profile")
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Capabilities == nil ||
			!slices.Contains(s.Capabilities.Drop, core.Capability("ALL")) || len(s.Capabilities.Add) > 0 || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			return fmt.Errorf("container %s is not restricted", c.Name)
		}
	}
	return nil
}
