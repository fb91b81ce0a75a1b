package setup

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

// Credentials are where to post, as they were given on the console.
type Credentials struct {
	APIKey       string `json:"api_key"`
	ConnectionID string `json:"connection_id"`
	// Timezone is the IANA name of the zone that people are shown times in; ""
	// is that of the configuration.
	Timezone string `json:"timezone,omitempty"`
}

// ErrSealed says that the credentials in the storage were sealed with another
// token, or are damaged.
var ErrSealed = errors.New("the credentials that were set up on the console cannot be read, because the console's token has changed " +
	"or they are damaged; set them up again, or bring the old token back")

const (
	saltBytes = 16
	// purpose keeps the key apart from others that are derived from the token.
	purpose = "otelcol-cloudzero credentials 1"
)

// seal encrypts the credentials with a key that is derived from the token:
//
//	salt (16 bytes) | nonce (12 bytes) | AES-256-GCM ciphertext and tag
func seal(token string, c Credentials) ([]byte, error) {
	plain, err := json.Marshal(c) //nolint:gosec // to be encrypted
	if err != nil {
		return nil, err
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	aead, err := sealing(token, salt)
	if err != nil {
		return nil, err
	}
	return aead.Seal(salt, nil, plain, salt), nil //nolint:gosec // it makes its own random nonce
}

// unseal decrypts what seal made. Its error is [ErrSealed].
func unseal(token string, sealed []byte) (c Credentials, err error) {
	if len(sealed) < saltBytes {
		return c, ErrSealed
	}
	salt, box := sealed[:saltBytes], sealed[saltBytes:]
	aead, err := sealing(token, salt)
	if err != nil {
		return c, err
	}
	plain, err := aead.Open(nil, nil, box, salt)
	if err != nil {
		return c, ErrSealed
	}
	if err := json.Unmarshal(plain, &c); err != nil {
		return Credentials{}, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	return c, nil
}

func sealing(token string, salt []byte) (cipher.AEAD, error) {
	const keyBytes = 32 // AES-256
	key, err := hkdf.Key(sha256.New, []byte(token), salt, purpose, keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
