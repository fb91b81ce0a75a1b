package main
import "context"
func (o *options) memory(ctx context.Context) (section, error) { return section{}, nil }
func (o *options) startWithBooks(ctx context.Context) (section, error) { return section{}, nil }
func (o *options) trickle(ctx context.Context) (section, error) { return section{}, nil }
func (o *options) inProcess(ctx context.Context) (section, error) { return section{}, nil }
func (o *options) liteLLM(ctx context.Context) (section, error) { return section{}, nil }
