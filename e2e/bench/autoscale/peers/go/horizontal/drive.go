// Package podautoscaler is the horizontal controller of Kubernetes, with a clock that can be set.
//
// The files beside this one and clock.go are not in the repository: build.py takes horizontal.go,
// replica_calculator.go and rate_limiters.go from the module k8s.io/kubernetes as they are and lets
// each time.Now() read the clock of clock.go, which is the whole change. This file builds a
// controller on fakes that hold one scale target, and runs one reconciliation of it.
package podautoscaler

import (
	"context"
	"fmt"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	scaleclient "k8s.io/client-go/scale"
	"k8s.io/client-go/tools/record"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/monitor"
	"k8s.io/kubernetes/pkg/controller/util/selectors"
)

const (
	namespace = "bench"
	name      = "model"
	key       = namespace + "/" + name
)

// Flags are those of kube-controller-manager.
type Flags struct {
	Tolerance               float64
	DownscaleStabilisation  time.Duration
	CPUInitialization       time.Duration
	InitialReadinessDelayed time.Duration
}

// Cluster is what the controller sees: the fakes answer from it.
type Cluster struct {
	// Wanted and Existing are the scale subresource's spec.replicas and status.replicas.
	Wanted, Existing int32
	Pods             []*v1.Pod
	// PerPod are the values of a Pods metric, External those of an external one; nil: no answer.
	PerPod   metricsclient.PodMetricsInfo
	External []int64
}

// Driven is one controller with one HorizontalPodAutoscaler.
type Driven struct {
	Cluster
	controller *HorizontalController
	autoscaler *autoscalingv2.HorizontalPodAutoscaler
}

// Drive makes a controller for one HorizontalPodAutoscaler of that spec, defaults already set.
func Drive(spec autoscalingv2.HorizontalPodAutoscalerSpec, flags Flags) *Driven {
	driven := &Driven{autoscaler: &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       spec,
	}}
	driven.autoscaler.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{
		APIVersion: "apps/v1", Kind: "Deployment", Name: name,
	}
	fakes := fakes{driven: driven}
	driven.controller = &HorizontalController{
		eventRecorder:                &record.FakeRecorder{},
		scaleNamespacer:              scales{fakes: fakes},
		hpaNamespacer:                autoscalers{fakes: fakes},
		mapper:                       mapper{},
		tolerance:                    flags.Tolerance,
		downscaleStabilisationWindow: flags.DownscaleStabilisation,
		monitor:                      monitor.New(),
		podLister:                    pods{fakes: fakes},
		recommendations:              map[string][]timestampedRecommendation{},
		scaleUpEvents:                map[string][]timestampedScaleEvent{},
		scaleDownEvents:              map[string][]timestampedScaleEvent{},
		hpaSelectors:                 selectors.NewBiMultimap(),
	}
	driven.controller.hpaSelectors.PutSelector(selectors.Parse(key), labels.Nothing())
	driven.controller.replicaCalc = NewReplicaCalculator(
		measured{fakes: fakes}, pods{fakes: fakes},
		flags.CPUInitialization, flags.InitialReadinessDelayed,
	)
	return driven
}

// Reconcile runs one sync at the time of the clock and returns spec.replicas after it.
//
// The error is the controller's own, as when no metric was to be had: the number then stands.
func (d *Driven) Reconcile(ctx context.Context) (int32, error) {
	err := d.controller.reconcileAutoscaler(ctx, d.autoscaler, key)
	return d.Wanted, err
}

// fakes answer the controller from the cluster of one Driven; what it never asks for is not there.
type fakes struct{ driven *Driven }

type scales struct {
	scaleclient.ScaleInterface
	fakes
}

func (s scales) Scales(string) scaleclient.ScaleInterface { return s }

func (s scales) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: s.driven.Wanted},
		Status:     autoscalingv1.ScaleStatus{Replicas: s.driven.Existing, Selector: "app=" + name},
	}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, scale *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	s.driven.Wanted = scale.Spec.Replicas
	return scale, nil
}

type autoscalers struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	fakes
}

func (a autoscalers) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return a
}

func (a autoscalers) UpdateStatus(_ context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	// The API server keeps the status and leaves the spec as it was.
	a.driven.autoscaler.Status = hpa.Status
	return hpa, nil
}

type mapper struct{ apimeta.RESTMapper }

func (mapper) RESTMappings(schema.GroupKind, ...string) ([]*apimeta.RESTMapping, error) {
	resource := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	return []*apimeta.RESTMapping{{Resource: resource}}, nil
}

type pods struct {
	corelisters.PodNamespaceLister
	fakes
}

func (p pods) Pods(string) corelisters.PodNamespaceLister { return p }

func (p pods) List(labels.Selector) ([]*v1.Pod, error) { return p.driven.Cluster.Pods, nil }

type measured struct {
	metricsclient.MetricsClient
	fakes
}

func (m measured) GetRawMetric(string, string, labels.Selector, labels.Selector) (metricsclient.PodMetricsInfo, time.Time, error) {
	if len(m.driven.PerPod) == 0 {
		return nil, time.Time{}, fmt.Errorf("no metrics returned from custom metrics API")
	}
	return m.driven.PerPod, timeNow(), nil
}

func (m measured) GetExternalMetric(string, string, labels.Selector) ([]int64, time.Time, error) {
	if len(m.driven.External) == 0 {
		return nil, time.Time{}, fmt.Errorf("no metrics returned from external metrics API")
	}
	return m.driven.External, timeNow(), nil
}
