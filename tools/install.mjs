/** Owns the first step of every npm script: packages that match the lockfile. Runs on any Node from 20. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CHECKOUT = dirname(dirname(fileURLToPath(import.meta.url)))
const LOCKFILE = join(CHECKOUT, 'package-lock.json')
const MODULES = join(CHECKOUT, 'node_modules')
const STAMP = join(MODULES, '.quartet-lockfile')
const OLDEST_NODE = 20
const PROBE_TIMEOUT_MS = 10_000
const PROGRESS_MS = 3_000

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  fail(
    `Quartet needs Node ${OLDEST_NODE} or newer to start; this is ${process.version}. See nodejs.org.`,
  )
}
if (!isInstalled()) await install()

function isInstalled() {
  if (!existsSync(join(MODULES, '.bin', 'node'))) return false
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === lockfileHash()) return true
  // Installed by hand: npm leaves its own record beside the packages.
  const record = join(MODULES, '.package-lock.json')
  return existsSync(record) && statSync(record).mtimeMs >= statSync(LOCKFILE).mtimeMs
}

function lockfileHash() {
  return createHash('sha256').update(readFileSync(LOCKFILE)).digest('hex')
}

async function install() {
  const startedMs = Date.now()
  const expected = expectedPackages()
  console.log('Looking for the package registry ...')
  probeRegistry()
  console.log(`Installing about ${expected} packages, about 500 MB: once, and after updates.`)
  const progress = setInterval(() => {
    const seconds = Math.round((Date.now() - startedMs) / 1000)
    console.log(`  ${seconds} s: ${Math.min(countPackages(), expected)} packages unpacked`)
  }, PROGRESS_MS)
  const code = await runNpm(['ci', '--include=dev', '--no-progress', '--loglevel=error'])
  clearInterval(progress)
  if (code !== 0) fail('npm could not install the packages; its own words are above.')
  if (!existsSync(join(MODULES, '.bin', 'node'))) {
    fail(
      'npm installed the packages without running their install scripts, so Node 26 is missing. ' +
        'Allow them ("npm config delete ignore-scripts"), then try again.',
    )
  }
  writeFileSync(STAMP, lockfileHash())
  console.log(`Installed in ${Math.round((Date.now() - startedMs) / 1000)} s.\n`)
}

// Without a registry "npm ci" is silent for more than a minute; one look-up tells within seconds.
function probeRegistry() {
  const probe = spawnSync(
    'npm',
    ['view', 'node@26', 'name', '--fetch-retries=0', '--fetch-timeout=8000'],
    {
      cwd: CHECKOUT,
      env: npmEnvironment(),
      timeout: PROBE_TIMEOUT_MS,
      encoding: 'utf8',
    },
  )
  if (probe.status === 0) return
  const reason = /code (E\w+)/.exec(probe.stderr ?? '')?.[1] ?? probe.error?.code ?? 'no answer'
  fail(
    `The packages are not installed and npm's registry cannot be reached (${reason}). Connect to the ` +
      'network, or point npm at a registry you can reach ("npm config set registry URL"), then try again.',
  )
}

function runNpm(args) {
  const options = { cwd: CHECKOUT, env: npmEnvironment(), stdio: ['ignore', 'inherit', 'inherit'] }
  return new Promise((resolve) => {
    const child = spawn('npm', args, options)
    child.on('error', () => resolve(1))
    child.on('exit', resolve)
  })
}

// "npm start -w services/orders" hands its own -w on, and the install must be of everything.
function npmEnvironment() {
  const ofTheOuterCall =
    /^npm_config_(workspace|workspaces|include_workspace_root|prefix|local_prefix)$/
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !ofTheOuterCall.test(name)),
  )
}

// Packages for other systems stand in the lockfile too, and are not installed.
function expectedPackages() {
  const { packages } = JSON.parse(readFileSync(LOCKFILE, 'utf8'))
  const fits = (list, mine) => list === undefined || list.includes(mine)
  return Object.entries(packages).filter(
    ([path, { os, cpu, link }]) =>
      path.startsWith('node_modules/') &&
      !link &&
      fits(os, process.platform) &&
      fits(cpu, process.arch),
  ).length
}

function countPackages() {
  if (!existsSync(MODULES)) return 0
  const unpacked = (...path) => existsSync(join(MODULES, ...path, 'package.json'))
  return readdirSync(MODULES).reduce((sum, name) => {
    if (!name.startsWith('@')) return sum + Number(unpacked(name))
    return sum + readdirSync(join(MODULES, name)).filter((inner) => unpacked(name, inner)).length
  }, 0)
}

function fail(sentence) {
  console.error(`\n${sentence}\n`)
  process.exit(1)
}
