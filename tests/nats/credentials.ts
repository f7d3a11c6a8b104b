/** Owns a NATS account as an operator would hand it out: what the server is told of it, and a user's `.creds` file. */
import { nkeys } from '@nats-io/transport-node'

type KeyPair = ReturnType<typeof nkeys.createUser>

const NO_LIMITS = { subs: -1, data: -1, payload: -1 }
const ACCOUNT = {
  ...NO_LIMITS,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
}
const JETSTREAM = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }

export function makeAccount(): { settings: string; creds: string } {
  const [operator, system] = [nkeys.createOperator(), nkeys.createAccount()]
  const [account, user] = [nkeys.createAccount(), nkeys.createUser()]
  const accountToken = (key: KeyPair, limits: object) =>
    sign(operator, key, { type: 'account', limits })
  const tokens = [
    [system.getPublicKey(), accountToken(system, ACCOUNT)],
    [account.getPublicKey(), accountToken(account, { ...ACCOUNT, ...JETSTREAM })],
  ]
  const settings = `
operator: ${sign(operator, operator, { type: 'operator' })}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: { ${tokens.map((entry) => entry.join(': ')).join(', ')} }`
  const creds = `-----BEGIN NATS USER JWT-----
${sign(account, user, { type: 'user', ...NO_LIMITS })}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${new TextDecoder().decode(user.getSeed())}
------END USER NKEY SEED------
`
  return { settings, creds }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token as NATS has them: what `issuer` says of `subject`. */
function sign(issuer: KeyPair, subject: KeyPair, nats: object): string {
  const claims = {
    jti: subject.getPublicKey(),
    iat: Math.floor(Date.now() / 1_000) - 60,
    iss: issuer.getPublicKey(),
    name: 'test',
    sub: subject.getPublicKey(),
    nats: { version: 2, ...nats },
  }
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode(claims)}`
  const signature = issuer.sign(new TextEncoder().encode(text))
  return `${text}.${Buffer.from(signature).toString('base64url')}`
}
