/** Owns the process: payments in the real world. */
import { runService } from '@quartet/kit/run-service'
import { paymentsService } from './app.ts'

await runService(paymentsService)
