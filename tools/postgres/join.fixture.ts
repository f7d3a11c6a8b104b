/** Owns a client for the guard's tests that can be killed: joins a data folder and says so. */
import { joinPostgres } from './join.ts'

const joined = await joinPostgres({ dataDir: process.argv[2] ?? '', port: 0, exclusive: 'shop' })
process.send?.({ port: joined.port })
process.on('disconnect', () => process.exit())
