-- A store as schema version 1 left it, written by that version under the root secret ROOT (roots.py).
PRAGMA journal_mode = WAL;
BEGIN TRANSACTION;
CREATE TABLE instances (
        folded TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, realm TEXT NOT NULL,
        revision TEXT NOT NULL, format TEXT NOT NULL, body BLOB NOT NULL
    );
INSERT INTO "instances" VALUES('demo','demo','/','1','forgerock',X'013D74C562F66613CD52320BA1F294B2CDBCC1FAED4424147218104462A7F24E9A682A8185368ABE85F34163236E4BEAF966602472');
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('instances-generation',1);
INSERT INTO "meta" VALUES('root-secret',X'79F04631A9C5A27C0CD6C9B884557BEB2C19E3F57B1F9AB9FAC01F583CB6B05A');
CREATE TABLE replays (
        digest BLOB PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL
    ) WITHOUT ROWID
    ;
CREATE TABLE requests (
        scope TEXT NOT NULL, request_id TEXT NOT NULL, fingerprint BLOB NOT NULL,
        owner TEXT NOT NULL, epoch INTEGER NOT NULL, lease_until REAL NOT NULL,
        token_id TEXT NOT NULL, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        key_id TEXT, entropy BLOB NOT NULL, answer BLOB, answer_until REAL, forget_at REAL NOT NULL,
        PRIMARY KEY (scope, request_id)
    );
INSERT INTO "requests" VALUES('requester:alice','a',X'6666666666666666666666666666666666666666666666666666666666666666','worker-1',1,1750000005.0,'a',1750000000,1750000600,'key-1',X'01291409F1718121DFB31E05F28B4E3957A0286DECFFFFD97F83D3B03FDD8E6224FCDA62E969900C078CE8A594FC4E4E5D0B73C9DE7A6118CD6E655D21',X'0116F6AC248E2D6001D7042D21D311D0E428CDE0542901773B769D0AB0297B3993A79DCAC4B7BBE7BE9CCFC414010EFBA8C698CCE7A6BFA05033518DB1C9A127C81B4BF05B48F517CF2C0CE766E8D3E2516039DBE3BD7B5976A1BDEFC5',1750000060.0,1750604860.0);
CREATE TABLE sessions (
        digest BLOB PRIMARY KEY, uid TEXT NOT NULL, principal TEXT NOT NULL, realm TEXT NOT NULL,
        created_at INTEGER NOT NULL, last_access_at INTEGER NOT NULL,
        max_idle_seconds INTEGER NOT NULL, max_life_seconds INTEGER NOT NULL,
        interim INTEGER NOT NULL, user_stamp TEXT NOT NULL,
        ends_at INTEGER AS (min(last_access_at + max_idle_seconds, created_at + max_life_seconds))
    ) WITHOUT ROWID
    ;
INSERT INTO "sessions" VALUES(X'84097828FC31A8C8D29210DF48901A85DE7FD013F686B17BE77D1BE29CB7A98B','uid-1','alice','/',1750000000,1750000000,1800,7200,0,'');
CREATE TABLE tokens (
        alias TEXT PRIMARY KEY, token_id TEXT NOT NULL, digest BLOB NOT NULL, type TEXT NOT NULL,
        instance TEXT NOT NULL, realm TEXT NOT NULL, principal TEXT NOT NULL,
        issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, key_id TEXT, parent TEXT
    ) WITHOUT ROWID
    ;
INSERT INTO "tokens" VALUES('a','a',X'6464646464646464646464646464646464646464646464646464646464646464','OPENIDCONNECT','demo','/','alice',1750000000,1750000600,'key-1',NULL);
CREATE TABLE users (
        realm TEXT NOT NULL, name TEXT NOT NULL, password_hash TEXT NOT NULL,
        attributes TEXT NOT NULL, active INTEGER NOT NULL, PRIMARY KEY (realm, name)
    );
INSERT INTO "users" VALUES('/','alice','$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA','{"mail":["alice@example.org"],"roles":["staff","audit"]}',1);
CREATE INDEX tokens_by_instance ON tokens (instance, alias);
CREATE INDEX tokens_by_principal ON tokens (principal, alias);
CREATE INDEX tokens_by_realm ON tokens (realm, alias);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);
CREATE INDEX requests_by_end ON requests (answer_until) WHERE answer IS NOT NULL;
CREATE INDEX requests_by_forgetting ON requests (forget_at);
CREATE INDEX replays_by_end ON replays (until);
CREATE INDEX sessions_by_end ON sessions (ends_at);
PRAGMA user_version = 1;
COMMIT;
