/** Owns the process: orders in the real world. */
import { runService } from '@quartet/kit/run-service'
import { ordersService } from './app.ts'

await runService(ordersService)
