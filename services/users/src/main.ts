/** Owns the process: users in the real world. */
import { runService } from '@quartet/kit/run-service'
import { usersService } from './app.ts'

await runService(usersService)
