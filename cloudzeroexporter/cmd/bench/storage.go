package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// host has the one extension that the exporter needs.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

// GetExtensions implements [component.Host].
func (h *host) GetExtensions() map[component.ID]component.Component { return h.extensions }

var storageID = component.MustNewID("file_storage")

// newStorage starts a file_storage in the folder, in this process.
func newStorage(ctx context.Context, folder string) (extension.Extension, *host, error) {
	factory := filestorage.NewFactory()
	cfg, ok := factory.CreateDefaultConfig().(*filestorage.Config)
	if !ok {
		return nil, nil, errors.New("file_storage has another configuration than its own")
	}
	cfg.Directory = folder
	ext, err := factory.Create(ctx, extensiontest.NewNopSettings(factory.Type()), cfg)
	if err != nil {
		return nil, nil, err
	}
	h := &host{componenttest.NewNopHost(), map[component.ID]component.Component{storageID: ext}}
	return ext, h, ext.Start(ctx, h)
}

// booksName is the name of the storage that a collector with the connection of the
// bench keeps its books in.
const booksName = "books_" + connectionID

// booksClient is the storage of the name that such a collector has.
func booksClient(ctx context.Context, ext extension.Extension, name string) (storage.Client, error) {
	s, ok := ext.(storage.Extension)
	if !ok {
		return nil, errors.New("file_storage is no storage")
	}
	return s.GetClient(ctx, component.KindExporter, component.MustNewID("cloudzero"), name)
}

// sizeOf is what all files in a folder take of the disk, in bytes: bbolt makes its
// files larger than what is in them, with holes.
func sizeOf(folder string) (size uint64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += onDisk(info)
		}
		return err
	})
	return size, err
}
