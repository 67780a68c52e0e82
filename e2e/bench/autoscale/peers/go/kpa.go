package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/autoscaler/config"
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"
	"knative.dev/serving/pkg/reconciler/autoscaling/kpa/resources"
	common "knative.dev/serving/pkg/reconciler/autoscaling/resources"
)

const (
	scrapeEvery = time.Second     // knative: pkg/autoscaler/metrics, scrapeTickInterval
	decideEvery = 2 * time.Second // knative: pkg/autoscaler/scaling, tickInterval
)

var silent = zap.NewNop().Sugar()

// collector is one for all policies, as in Knative: it keeps a window for each revision. Nothing is
// scraped by it; what the caller saw is recorded.
var collector = metrics.NewMetricCollector(
	func(*v1alpha1.Metric, *zap.SugaredLogger) (metrics.StatsScraper, error) { return nil, nil },
	silent,
)

// kpa is Knative's autoscaler of one revision. What is not upstream's: when it is asked, which
// pods count as ready, and the bounds, as in pkg/reconciler/autoscaling/kpa/scaler.go.
type kpa struct {
	key         types.NamespacedName
	scaler      scaling.UniScaler
	count       readyCount
	least, most int32
	scraped     time.Time
	held        float64 // what the last scrape saw
	known       bool
	decided     time.Time
	desired     int32
}

// readyCount is what Knative's counter of endpoints tells.
type readyCount struct{ ready, other int }

func (c *readyCount) ReadyCount() (int, error)    { return c.ready, nil }
func (c *readyCount) NotReadyCount() (int, error) { return c.other, nil }

// makeKPA takes the keys of the ConfigMap config-autoscaler and the annotations of a revision.
func makeKPA(id int, settings json.RawMessage) (policy, error) {
	var given struct{ Config, Annotations map[string]string }
	if err := json.Unmarshal(settings, &given); err != nil {
		return nil, err
	}
	cluster, err := config.NewConfigFromMap(given.Config)
	if err != nil {
		return nil, err
	}
	if err := autoscaling.ValidateAnnotations(context.Background(), cluster, given.Annotations); err != nil {
		return nil, err
	}
	pa := &v1alpha1.PodAutoscaler{ObjectMeta: metav1.ObjectMeta{
		Namespace: "bench", Name: strconv.Itoa(id), Annotations: given.Annotations,
	}}
	made := &kpa{key: types.NamespacedName{Namespace: pa.Namespace, Name: pa.Name}, desired: -1}
	made.least, made.most = pa.ScaleBounds(cluster)
	if made.least < 1 {
		return nil, fmt.Errorf("min-scale %d: nobody here holds requests for no replica", made.least)
	}
	if err := collector.CreateOrUpdate(common.MakeMetric(pa, "scraped", cluster)); err != nil {
		return nil, err
	}
	decider := resources.MakeDecider(pa, cluster)
	made.scaler = scaling.New(
		context.Background(), pa.Namespace, pa.Name, collector, &made.count, &decider.Spec,
	)
	return made, nil
}

func (k *kpa) end() { collector.Delete(k.key.Namespace, k.key.Name) }

func (k *kpa) look(now seen) (int32, error) {
	k.observe(now)
	if k.desired < 0 {
		k.desired = now.told
	}
	if now.at.Sub(k.decided) >= decideEvery {
		k.decided = now.at
		// Without data the decision is not valid, and Knative leaves the number as it is.
		if result := k.scaler.Scale(silent, now.at); result.ScaleValid {
			k.desired = result.DesiredPodCount
		}
	}
	return max(k.least, min(k.desired, k.most)), nil
}

// observe records one scrape a second; seconds nobody looked in had what the look before them saw.
//
// Knative averages over a sample of the pods, times their number; this is the sum itself.
func (k *kpa) observe(now seen) {
	k.count = readyCount{}
	sum, read := 0.0, 0
	for _, one := range now.replicas {
		switch one.phase {
		case ready:
			k.count.ready++
			if one.known {
				sum += one.running + one.waiting
				read++
			}
		case loading:
			k.count.other++
		}
	}
	last := now.at.Truncate(scrapeEvery)
	if k.known {
		for at := k.scraped.Add(scrapeEvery); at.Before(last); at = at.Add(scrapeEvery) {
			collector.Record(k.key, at, metrics.Stat{AverageConcurrentRequests: k.held})
		}
	}
	k.known = read > 0
	if !k.known || !last.After(k.scraped) {
		return
	}
	k.held = sum / float64(read) * float64(k.count.ready)
	collector.Record(k.key, last, metrics.Stat{AverageConcurrentRequests: k.held})
	k.scraped = last
}
