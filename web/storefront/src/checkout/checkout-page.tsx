/** Owns the checkout's page: who, where to, how to pay, and the one button. */
import { useRef, useState } from 'react'
import { Link } from 'react-router'
import { useSession } from '../account/session.ts'
import { useCart } from '../cart/cart-store.ts'
import { useCheckedCart, type CheckedCart } from '../cart/checked-cart.ts'
import { CartStaleNotice } from '../cart/stale.tsx'
import { Blank } from '../parts/notice.tsx'
import { useTitle } from '../shell/arrival.ts'
import { AddressFields } from './address-fields.tsx'
import { CardChoice } from './card-choice.tsx'
import { Contact } from './contact.tsx'
import { LastAddress } from './last-address.tsx'
import { Progress, Refused } from './progress.tsx'
import { OrderSummary } from './order-summary.tsx'
import { useCheckout } from './use-checkout.ts'

export function CheckoutPage() {
  useTitle('Checkout')
  const cart = useCheckedCart()
  const { attempt, last_order_id } = useCart()
  // Another tab may empty the cart while this one waits for it: it is led to the order all the same.
  const [isPlacing, setPlacing] = useState(false)
  if (cart.lines.length > 0 || attempt !== null || isPlacing) {
    return <Checkout cart={cart} onPlacing={setPlacing} />
  }
  return (
    <div className="page">
      <Blank title="There is nothing to pay for." isPage>
        {last_order_id === null ? (
          <p>Your cart is empty.</p>
        ) : (
          <p>
            Your cart is empty, because it has become an order.{' '}
            <Link to={`/orders/${last_order_id}`} className="link">
              Look at your order
            </Link>
          </p>
        )}
        <Link to="/shop" className="button button-strong">
          Look around
        </Link>
      </Blank>
    </div>
  )
}

type CheckoutProps = { cart: CheckedCart; onPlacing: (isPlacing: boolean) => void }

function Checkout({ cart, onPlacing }: CheckoutProps) {
  const session = useSession()
  const formRef = useRef<HTMLFormElement>(null)
  const checkout = useCheckout(cart, session.user, formRef, onPlacing)
  const { form, errors, change, isBusy } = checkout
  return (
    <div className="page pt-8 sm:pt-12">
      <h1 className="mb-8 text-title">Checkout</h1>
      <CartStaleNotice isStale={cart.isStale} />
      <form
        noValidate
        ref={formRef}
        className="grid items-start gap-10 lg:grid-cols-[1fr_24rem] lg:gap-16"
        onSubmit={checkout.submit}
      >
        <fieldset disabled={isBusy} className="grid min-w-0 gap-11">
          <Contact user={session.user} form={form} errors={errors} change={change} />
          <AddressFields form={form} errors={errors} change={change}>
            <LastAddress user={session.user} form={form} fill={checkout.fill} />
          </AddressFields>
          <CardChoice
            chosen={checkout.card}
            onChoose={checkout.chooseCard}
            refusal={checkout.refusal}
          />
        </fieldset>
        <OrderSummary cart={cart}>
          <Refused refusal={checkout.refusal} again={cart.again} />
          <button
            type="submit"
            className="button button-strong mt-6 w-full"
            disabled={isBusy || cart.hasTrouble || cart.lines.length === 0}
          >
            {checkout.buttonText}
          </button>
          <Progress state={checkout.progress} />
        </OrderSummary>
      </form>
    </div>
  )
}
