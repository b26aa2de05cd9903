// The example server of zitadel/oidc, on loopback: its pages, its provider and its storage in
// memory are the module's own packages below example/server. Three things are not as there. Access
// tokens are JWTs (of the example's clients they are opaque), the log holds warnings alone, and
// the signing key, which the storage makes anew at each start, is also written to a file, so that
// subject tokens can be made before a run.
//
//	zitadel-oidc settings.json
//
// It listens on a free port of 127.0.0.1, and then prints its issuer, the version of Go and
// GOMAXPROCS. The settings: client { id, secret }, users (a file for storage.StoreFromFile) and
// signing_key (the file to write).
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

type settings struct {
	Client struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	} `json:"client"`
	Users      string `json:"users"`
	SigningKey string `json:"signing_key"`
}

// jwtClient gets JWTs where the example's client gets opaque tokens.
type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// jwtStorage is the example's storage with such clients.
type jwtStorage struct{ *storage.Storage }

func (s jwtStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	return asJWT(s.Storage.GetClientByClientID(ctx, id))
}

func (s jwtStorage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	return asJWT(s.Storage.ClientCredentials(ctx, id, secret))
}

func asJWT(client op.Client, err error) (op.Client, error) {
	if err != nil {
		return nil, err
	}
	return jwtClient{client}, nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: zitadel-oidc settings.json")
	}
	if err := serve(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func serve(path string) error {
	given, err := read(path)
	if err != nil {
		return err
	}
	users, err := storage.StoreFromFile(given.Users)
	if err != nil {
		return err
	}
	storage.RegisterClients(storage.WebClient(given.Client.ID, given.Client.Secret))
	store := jwtStorage{storage.NewStorage(users)}
	if err := writeKey(store, given.SigningKey); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := fmt.Sprintf("http://%s/", listener.Addr())
	warnings := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	router := exampleop.SetupServer(issuer, store, slog.New(warnings), false)
	fmt.Println(issuer, runtime.Version(), runtime.GOMAXPROCS(0))
	return http.Serve(listener, router)
}

func read(path string) (given settings, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return given, err
	}
	return given, json.Unmarshal(text, &given)
}

func writeKey(store jwtStorage, path string) error {
	key, err := store.SigningKey(context.Background())
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key.Key())
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return os.WriteFile(path, text, 0o600)
}
