package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profileTime is how long the collector is watched.
const profileTime = 10 * time.Second

// profile writes CPU profiles of a collector that is busy with the load.
func (o *options) profile(ctx context.Context) (section, error) {
	s := section{
		title: "Profiles", about: fmt.Sprintf("CPU of the whole collector, over %s under load. `go tool pprof -top FILE` reads them.", profileTime),
		head: []string{"Dialect", "File"},
	}
	for _, d := range o.dialects {
		file := filepath.Join(filepath.Dir(o.collector), "collector-"+d.name+".pprof")
		if err := o.profileOf(ctx, d, file); err != nil {
			return s, fmt.Errorf("%s: %w", d.name, err)
		}
		s.row(d.name, file)
	}
	return s, nil
}

func (o *options) profileOf(ctx context.Context, d dialect, file string) error {
	s, err := o.start(ctx, cloudzero, "")
	if err != nil {
		return err
	}
	defer s.end()
	g, err := o.generator(s, d, o.load)
	if err != nil {
		return err
	}
	defer func() { _ = g.Close() }()
	loaded, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { // ends with loaded
		_, err := g.Run(loaded, math.MaxInt64)
		done <- err
	}()
	err = s.fetchProfile(ctx, file)
	stop()
	return errors.Join(err, <-done)
}

func (s *stage) fetchProfile(ctx context.Context, file string) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.pprof, int(profileTime.Seconds()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(file, profile, 0o600)
}
