/** Owns the two demo accounts' credentials: made at the first start, kept in a file that only its owner reads. */
import { randomInt } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { Explained, runProgram } from '../explained.ts'
import { inData } from '../postgres/data-folder.ts'
import { readOrMakeSecret } from '../secrets.ts'
import { readDataOption } from './options.ts'

const account = z.object({ email: z.string(), password: z.string() })
const credentials = z.object({ admin: account, customer: account })
export type Credentials = z.infer<typeof credentials>

/** The kept credentials; made at the first start, from the environment where it names them. */
export async function readOrMakeCredentials(
  dataDir: string,
  env: NodeJS.ProcessEnv,
): Promise<Credentials> {
  const make = () => `${JSON.stringify(makeCredentials(env), undefined, 2)}\n`
  const text = await readOrMakeSecret(credentialsFile(dataDir), make)
  return credentials.parse(JSON.parse(text))
}

const credentialsFile = (dataDir: string) => inData.secret(dataDir, 'credentials.json')

function makeCredentials(env: NodeJS.ProcessEnv): Credentials {
  return {
    admin: {
      email: env['QUARTET_ADMIN_EMAIL'] || 'admin@quartet.example',
      password: env['QUARTET_ADMIN_PASSWORD'] || readablePassword(),
    },
    customer: {
      email: env['QUARTET_CUSTOMER_EMAIL'] || 'customer@quartet.example',
      password: env['QUARTET_CUSTOMER_PASSWORD'] || readablePassword(),
    },
  }
}

// Crockford's base 32 leaves out the letters that look like digits: 80 bits in four groups.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

function readablePassword(): string {
  const group = () => Array.from({ length: 4 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  return [group(), group(), group(), group()].join('-')
}

/** The lines that tell a person how to log in. */
export function describeCredentials({ admin, customer }: Credentials): string[] {
  const width = Math.max(admin.email.length, customer.email.length)
  return [
    `admin      ${admin.email.padEnd(width)}   ${admin.password}`,
    `customer   ${customer.email.padEnd(width)}   ${customer.password}`,
  ]
}

/** Prints the credentials of a data folder: `npm run credentials`. */
async function main(): Promise<void> {
  const dataDir = readDataOption(process.argv.slice(2))
  if (!existsSync(credentialsFile(dataDir))) {
    throw new Explained('There are no credentials yet: the first "npm start" makes them.')
  }
  const kept = credentials.parse(JSON.parse(readFileSync(credentialsFile(dataDir), 'utf8')))
  console.log(describeCredentials(kept).join('\n'))
}

if (import.meta.main) await runProgram(main)
