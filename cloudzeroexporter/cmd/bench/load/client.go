package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

// client sends encoded requests.
type client interface {
	send(ctx context.Context, body []byte) error
	close() error
}

func newClient(target string, overHTTP bool) (client, error) {
	if overHTTP {
		return &httpClient{url: "http://" + target + "/v1/traces", client: http.Client{Transport: &http.Transport{}}}, nil
	}
	conn, err := grpc.NewClient("passthrough:///"+target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &grpcClient{conn}, nil
}

// exportMethod is OTLP's, https://opentelemetry.io/docs/specs/otlp/#otlpgrpc.
const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

type grpcClient struct{ conn *grpc.ClientConn }

func (c *grpcClient) send(ctx context.Context, body []byte) error {
	var answer []byte
	err := c.conn.Invoke(ctx, exportMethod, body, &answer, grpc.ForceCodecV2(Encoded{}), grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	return refused(answer)
}

func (c *grpcClient) close() error { return c.conn.Close() }

// refused reads an answer, which may say that only a part was taken.
func refused(answer []byte) error {
	response := ptraceotlp.NewExportResponse()
	if err := response.UnmarshalProto(answer); err != nil {
		return fmt.Errorf("the collector's answer: %w", err)
	}
	if p := response.PartialSuccess(); p.RejectedSpans() > 0 || p.ErrorMessage() != "" {
		return fmt.Errorf("the collector refused %d spans: %s", p.RejectedSpans(), p.ErrorMessage())
	}
	return nil
}

// Encoded is a gRPC codec whose messages are encoded already: []byte to send,
// *[]byte to receive.
type Encoded struct{}

// Marshal implements [encoding.CodecV2].
func (Encoded) Marshal(v any) (mem.BufferSlice, error) {
	body, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is no encoded message", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(body)}, nil
}

// Unmarshal implements [encoding.CodecV2].
func (Encoded) Unmarshal(data mem.BufferSlice, v any) error {
	answer, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T is no room for an encoded message", v)
	}
	*answer = data.Materialize()
	return nil
}

// Name implements [encoding.CodecV2].
func (Encoded) Name() string { return "proto" }

type httpClient struct {
	url    string
	client http.Client
}

func (c *httpClient) send(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return refused(answer)
}

func (c *httpClient) close() error {
	c.client.CloseIdleConnections()
	return nil
}
