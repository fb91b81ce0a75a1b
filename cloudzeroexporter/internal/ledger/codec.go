package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// version is the first byte of every stored value.
const version = 1

// frameBytes is what precedes the CBOR of a value: version and checksum.
const frameBytes = 1 + 4

var (
	// ErrCorrupt says that a stored value is not what was written.
	ErrCorrupt = errors.New("corrupt")
	// ErrNewer says that a stored value was written by a newer version.
	ErrNewer = errors.New("written by a newer version")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	encoding = must(cbor.EncOptions{}.UserBufferEncMode())
	// The checksum was right, so a length is one that was written.
	decoding = must(cbor.DecOptions{MaxArrayElements: 1 << 30, MaxMapPairs: 1 << 20}.DecMode())
)

func must[T any](t T, err error) T {
	if err != nil {
		panic(err) // constant options
	}
	return t
}

// seal encodes v as a stored value:
//
//	version (1 byte) | CRC-32C of the rest (4 bytes, little endian) | CBOR
func seal(v any) ([]byte, error) {
	scratch := scratches.Get().(*bytes.Buffer)
	defer scratches.Put(scratch)
	scratch.Reset()
	scratch.Write(make([]byte, frameBytes))
	if err := encoding.MarshalToBuffer(v, scratch); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	b := bytes.Clone(scratch.Bytes()) // the storage may keep it
	b[0] = version
	binary.LittleEndian.PutUint32(b[1:], crc32.Checksum(b[frameBytes:], castagnoli))
	return b, nil
}

var scratches = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// unseal decodes what seal made. Its errors are [ErrCorrupt] and [ErrNewer].
func unseal(b []byte, v any) error {
	if len(b) < frameBytes {
		return fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	}
	if b[0] != version {
		if b[0] > version {
			return fmt.Errorf("%w: format %d, this one reads %d", ErrNewer, b[0], version)
		}
		return fmt.Errorf("%w: format %d", ErrCorrupt, b[0])
	}
	if sum := crc32.Checksum(b[frameBytes:], castagnoli); sum != binary.LittleEndian.Uint32(b[1:]) {
		return fmt.Errorf("%w: checksum %08x", ErrCorrupt, sum)
	}
	if err := decoding.Unmarshal(b[frameBytes:], v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

// idBytes is the size of a stored identity.
const idBytes = 8

// appendID appends an identity to a stored list. It doubles a list that is full,
// where append would add a quarter and copy each identity four times in all.
func appendID(b []byte, id uint64) []byte {
	if cap(b)-len(b) < idBytes {
		b = slices.Grow(b, max(len(b), 64*idBytes))
	}
	return binary.LittleEndian.AppendUint64(b, id)
}

// packed are identities one after the other, as they are stored: a byte string. It
// is decoded in place, without a copy, and is part of the value that it was in.
type packed []byte

// UnmarshalCBOR implements [cbor.Unmarshaler].
func (p *packed) UnmarshalCBOR(b []byte) error {
	const null = 0xf6 // as nil is encoded
	switch length := b[0] & 0x1f; {
	case b[0] == null:
		*p = nil
	case b[0]&^0x1f != cborBytes || length > 27:
		return fmt.Errorf("identities are a byte string of known length, not %#x", b[0])
	case length < 24:
		*p = b[1:]
	default: // the length is in 1, 2, 4 or 8 bytes
		*p = b[1+1<<(length-24):]
	}
	return nil
}

// unpackIDs calls visit for every identity of a stored list: 8 bytes each,
// little endian.
func unpackIDs(b []byte, visit func(uint64)) error {
	if len(b)%idBytes != 0 {
		return fmt.Errorf("%w: %d bytes of identities", ErrCorrupt, len(b))
	}
	for ; len(b) > 0; b = b[idBytes:] {
		visit(binary.LittleEndian.Uint64(b))
	}
	return nil
}
