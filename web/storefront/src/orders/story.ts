/** Owns what is told of an order: where it stands, in a sentence, and what its buyer can do. */
import type { Order } from '../api/contracts.ts'
import { declineWords } from '../checkout/decline-words.ts'

export type Tone = 'waiting' | 'good' | 'bad' | 'quiet'

export type Story = {
  /** For a list: one or two words. */
  label: string
  title: string
  text: string
  tone: Tone
  /** What the buyer must do before it goes on. */
  needs?: 'bank' | 'card'
}

const CANCELED: Record<NonNullable<Order['cancel_reason']>, string> = {
  insufficient_stock: 'Somebody was faster: there was not enough of it left. Nothing was charged.',
  product_unavailable: 'Something in it is not sold any more. Nothing was charged.',
  payment_declined: 'Nothing was charged.',
  payment_expired: 'It was not paid in time, so what was set aside is for sale again.',
  requested_by_customer: 'As you asked.',
  price_changed: 'A price had changed since you saw it. Nothing was charged.',
  amount_too_large: 'The total is more than a card can be charged with.',
  conflict: 'Something about it did not fit together. Nothing was kept of what was charged.',
}

export function storyOf(order: Order): Story {
  switch (order.status) {
    case 'pending':
      return pendingStory(order)
    case 'confirmed':
      return {
        label: 'Confirmed',
        title: 'Thank you. It is yours.',
        text: 'Your order is confirmed and paid. We are packing it now.',
        tone: 'good',
      }
    case 'completed':
      return {
        label: 'Sent',
        title: 'It is on its way.',
        text: 'Your parcel has left us.',
        tone: 'good',
      }
    case 'canceling':
      return {
        label: 'Being canceled',
        title: 'We are undoing this order.',
        text: 'What was set aside goes back, and so does your money. This page will say when it is done.',
        tone: 'waiting',
      }
    case 'canceled':
      return canceledStory(order)
  }
}

function pendingStory({ payment_status, next_action }: Order): Story {
  if (next_action !== null) {
    return {
      label: 'Confirm at your bank',
      title: 'Your bank wants to know that it is you.',
      text: 'Everything is set aside for you. Confirm the payment, and the order is yours.',
      tone: 'waiting',
      needs: 'bank',
    }
  }
  if (payment_status === 'requires_payment_method') {
    return {
      label: 'To be paid',
      title: 'Set aside for you.',
      text: 'Choose a card, and the order is yours.',
      tone: 'waiting',
      needs: 'card',
    }
  }
  return {
    label: 'Being completed',
    title: 'We have your order.',
    text: 'It is being completed: the payment takes a little longer than usual. You need do nothing, and you will not be charged twice. This page will tell you.',
    tone: 'waiting',
  }
}

function canceledStory(order: Order): Story {
  if (order.cancel_reason === 'payment_declined') {
    const { title } = declineWords(order.decline_code)
    return {
      label: 'Not paid',
      title: `${title}.`,
      text: 'Nothing was charged. Everything can go back into your cart, for another card.',
      tone: 'bad',
    }
  }
  const refunded =
    order.payment_status === 'refunded' ? ' Your money is on its way back to your card.' : ''
  const why = order.cancel_reason === null ? '' : CANCELED[order.cancel_reason]
  return {
    label: order.payment_status === 'refunded' ? 'Refunded' : 'Canceled',
    title: 'This order was canceled.',
    text: `${why}${refunded}`.trim(),
    tone: 'quiet',
  }
}

/** Whether nothing more will happen to it. */
export const isOver = ({ status }: Order): boolean =>
  status === 'completed' || status === 'canceled'

/** Whether something is about to happen without its buyer. */
export const isMoving = (order: Order): boolean =>
  order.status === 'canceling' || (order.status === 'pending' && storyOf(order).needs === undefined)

export const canCancel = ({ status }: Order): boolean =>
  status === 'pending' || status === 'confirmed'

/** Whether its lines may go back into the cart. */
export const canReorder = ({ status }: Order): boolean => status === 'canceled'

export type StepState = 'done' | 'now' | 'next'

/** The way of an order that ends well. */
export function stepsOf({ status, payment_status }: Order): { name: string; state: StepState }[] {
  const isPaid = status === 'confirmed' || status === 'completed'
  const pays = payment_status === 'requires_action' || payment_status === 'requires_payment_method'
  return [
    { name: 'Placed', state: 'done' },
    { name: pays ? 'Payment' : 'Paid', state: isPaid ? 'done' : 'now' },
    { name: 'Packed', state: status === 'completed' ? 'done' : isPaid ? 'now' : 'next' },
    { name: 'Sent', state: status === 'completed' ? 'done' : 'next' },
  ]
}
