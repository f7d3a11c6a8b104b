/** Owns the shapes that the shop speaks: taken from the services' contracts as types, none of their code. */
import type { routes as orders } from '@quartet/orders/contract'
import type { routes as payments } from '@quartet/payments/contract'
import type { routes as products } from '@quartet/products/contract'
import type { routes as users } from '@quartet/users/contract'
import type { z } from 'zod'

type Schema<Holder> = Holder extends { content: { 'application/json': { schema: infer S } } }
  ? S
  : never

/** What a route answers with this status. */
type Answer<Route, Status extends number> = Route extends { responses: infer Responses }
  ? z.output<Schema<Responses[Status & keyof Responses]>>
  : never

/** What a client sends to a route. */
type Body<Route> = Route extends { request: { body: infer Sent } } ? z.input<Schema<Sent>> : never

export type Product = Answer<typeof products.read, 200>
export type ProductPage = Answer<typeof products.list, 200>
export type Category = Answer<typeof products.categories, 200>['data'][number]
export type Order = Answer<typeof orders.read, 200>
export type OrderPage = Answer<typeof orders.list, 200>
export type PlaceOrder = Body<typeof orders.place>
export type Address = NonNullable<PlaceOrder['shipping_address']>
export type Payment = Answer<typeof payments.create, 201>
export type Money = Product['price']

/** An account; a guest's has no password until it is claimed. */
export type User = Answer<typeof users.read, 200>
