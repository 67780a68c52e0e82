package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	defaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	podmetrics "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"

	podautoscaler "escadre.dev/e2e/bench/autoscale/peers/horizontal"
)

// quiet keeps upstream's log away.
func quiet() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("alsologtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(io.Discard)
	utilruntime.ErrorHandlers = nil
}

// hpaSettings: Spec is that of a HorizontalPodAutoscaler with one metric, Pods or External.
//
// Signal is what the metric is of a replica: running, waiting, requests (both), cache; or given,
// which comes with the look. An external metric is the sum over the ready replicas, or with Mean
// their mean. The rest are flags of kube-controller-manager; 0 is its default.
type hpaSettings struct {
	Spec   autoscalingv2.HorizontalPodAutoscalerSpec
	Signal string
	Mean   bool

	SyncSeconds, StabilizationSeconds, Tolerance float64
}

type hpa struct {
	settings hpaSettings
	driven   *podautoscaler.Driven
	every    time.Duration
	synced   time.Time
	pods     []*v1.Pod
	// absentIsZero: a metric without a value is 0, and no error.
	absentIsZero bool
}

func makeHPA(_ int, settings json.RawMessage) (policy, error) {
	given := hpaSettings{Signal: "requests"}
	if err := json.Unmarshal(settings, &given); err != nil {
		return nil, err
	}
	return newHPA(given)
}

func newHPA(given hpaSettings) (*hpa, error) {
	if _, err := value(given.Signal, replica{}); err != nil {
		return nil, err
	}
	if len(given.Spec.Metrics) != 1 {
		return nil, fmt.Errorf("an autoscaler of %d metrics: there is 1", len(given.Spec.Metrics))
	}
	object := &autoscalingv2.HorizontalPodAutoscaler{Spec: given.Spec}
	defaults.SetDefaults_HorizontalPodAutoscaler(object)
	flags := podautoscaler.Flags{
		Tolerance:               or(given.Tolerance, 0.1),
		DownscaleStabilisation:  seconds(or(given.StabilizationSeconds, 300)),
		CPUInitialization:       5 * time.Minute,
		InitialReadinessDelayed: 30 * time.Second,
	}
	return &hpa{
		settings: given,
		driven:   podautoscaler.Drive(object.Spec, flags),
		every:    seconds(or(given.SyncSeconds, 15)),
	}, nil
}

func or(given, standard float64) float64 {
	if given == 0 {
		return standard
	}
	return given
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

// value is a replica's share in the signal.
func value(signal string, one replica) (float64, error) {
	switch signal {
	case "running":
		return one.running, nil
	case "waiting":
		return one.waiting, nil
	case "requests":
		return one.running + one.waiting, nil
	case "cache":
		return one.cache, nil
	case "given":
		return 0, nil
	}
	return 0, fmt.Errorf("no signal %q: running, waiting, requests, cache, given", signal)
}

func (h *hpa) end() {}

// look leaves the number as it is between two syncs, and where the controller meets an error.
func (h *hpa) look(now seen) (int32, error) {
	if now.at.Sub(h.synced) < h.every {
		return now.told, nil
	}
	h.synced = now.at
	h.show(now)
	podautoscaler.At(now.at)
	desired, _ := h.driven.Reconcile(context.Background())
	return desired, nil
}

// show gives the controller its cluster: what is scaled, the pods, and the metric.
func (h *hpa) show(now seen) {
	cluster := &h.driven.Cluster
	cluster.Wanted, cluster.Existing = now.told, now.staying()
	cluster.PerPod = podmetrics.PodMetricsInfo{}
	for index, one := range now.replicas {
		h.set(index, one.phase)
		if one.phase == ready && one.known {
			number, _ := value(h.settings.Signal, one)
			metric := podmetrics.PodMetric{Timestamp: now.at, Value: milli(number)}
			cluster.PerPod[h.pods[index].Name] = metric
		}
	}
	cluster.Pods = h.pods[:len(now.replicas)]
	cluster.External = nil
	if number, there := h.metric(now); there {
		cluster.External = []int64{milli(number)}
	}
}

// metric is the external one, and whether it has a value.
func (h *hpa) metric(now seen) (float64, bool) {
	if h.settings.Signal == "given" {
		return now.given, true
	}
	sum, read := 0.0, 0
	for _, one := range now.replicas {
		if one.phase == ready && one.known {
			number, _ := value(h.settings.Signal, one)
			sum += number
			read++
		}
	}
	if read > 0 && h.settings.Mean {
		sum /= float64(read)
	}
	return sum, read > 0 || h.absentIsZero
}

func milli(number float64) int64 { return int64(math.Round(number * 1000)) }

var gone = metav1.Unix(1, 0)

// set lets a pod be as its replica is. One that loads runs and is not ready, and has no metrics.
func (h *hpa) set(index, phase int) {
	for len(h.pods) <= index {
		h.pods = append(h.pods, &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "bench",
				Name:      "model-" + strconv.Itoa(len(h.pods)),
				Labels:    map[string]string{"app": "model"},
			},
			Status: v1.PodStatus{
				Phase:      v1.PodRunning,
				Conditions: []v1.PodCondition{{Type: v1.PodReady}},
			},
		})
	}
	pod := h.pods[index]
	pod.DeletionTimestamp = nil
	if phase == draining {
		pod.DeletionTimestamp = &gone
	}
	pod.Status.Conditions[0].Status = v1.ConditionFalse
	if phase == ready {
		pod.Status.Conditions[0].Status = v1.ConditionTrue
	}
}
