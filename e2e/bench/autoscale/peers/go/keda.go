package main

import (
	"encoding/json"
	"time"

	"k8s.io/utils/ptr"
)

// kedaSettings are fields of a ScaledObject and its trigger, beside those of the autoscaler that
// KEDA makes of it. The external metric of that one is read anew at each sync.
type kedaSettings struct {
	hpaSettings
	PollingSeconds, CooldownSeconds, ActivationThreshold float64
	MinReplicas                                          int32
}

// keda is its rule of activation before the controller of Kubernetes.
//
// After kedacore/keda 2.21, pkg/scaling/executor/scale_scaledobjects.go: from 0 an active trigger
// sets max(1, minReplicaCount); to 0, where minReplicaCount is 0, once none was active for the
// cool-down, counted from the last poll that was active, at once where there was none. Between the
// two the autoscaler decides, and none does at 0. A series that is absent counts as 0, which is the
// default of its scaler for Prometheus (ignoreNullValues).
type keda struct {
	*hpa
	settings   kedaSettings
	polled     time.Time
	lastActive time.Time
}

func makeKEDA(_ int, settings json.RawMessage) (policy, error) {
	given := kedaSettings{hpaSettings: hpaSettings{Signal: "requests"}, CooldownSeconds: 300}
	if err := json.Unmarshal(settings, &given); err != nil {
		return nil, err
	}
	given.Spec.MinReplicas = ptr.To(max(1, given.MinReplicas))
	inner, err := newHPA(given.hpaSettings)
	if err != nil {
		return nil, err
	}
	inner.absentIsZero = true
	return &keda{hpa: inner, settings: given}, nil
}

func (k *keda) look(now seen) (int32, error) {
	polls := now.at.Sub(k.polled) >= seconds(or(k.settings.PollingSeconds, 30))
	if polls {
		k.polled = now.at
		now.told = k.poll(now)
	}
	if now.told == 0 {
		return 0, nil
	}
	return k.hpa.look(now)
}

// poll is the number of replicas after KEDA's own loop.
func (k *keda) poll(now seen) int32 {
	number, _ := k.metric(now)
	switch {
	case number > k.settings.ActivationThreshold:
		k.lastActive = now.at
		if now.told == 0 {
			return max(1, k.settings.MinReplicas)
		}
	case now.told > 0 && k.settings.MinReplicas == 0:
		if k.lastActive.Add(seconds(k.settings.CooldownSeconds)).Before(now.at) {
			return 0
		}
	}
	return now.told
}
