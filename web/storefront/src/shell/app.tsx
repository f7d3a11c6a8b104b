/** Owns which page stands at which address. */
import { QueryClientProvider } from '@tanstack/react-query'
import { lazy, type ComponentType } from 'react'
import { BrowserRouter, Route, Routes } from 'react-router'
import { queryClient } from '../api/query-client.ts'
import { CatalogPage } from '../catalog/catalog-page.tsx'
import { HomePage } from '../catalog/home-page.tsx'
import { ProductPage } from '../catalog/product-page.tsx'
import { Layout } from './layout.tsx'
import { NotFoundPage } from './not-found-page.tsx'

/** A page that is loaded when it is first gone to; the ones people arrive at are there at once. */
const page = <Name extends string>(load: () => Promise<Record<Name, ComponentType>>, name: Name) =>
  lazy(async () => ({ default: (await load())[name] }))

const CartPage = page(() => import('../cart/cart-page.tsx'), 'CartPage')
const CheckoutPage = page(() => import('../checkout/checkout-page.tsx'), 'CheckoutPage')
const OrderPage = page(() => import('../orders/order-page.tsx'), 'OrderPage')
const OrdersPage = page(() => import('../orders/orders-page.tsx'), 'OrdersPage')
const ReceiptPage = page(() => import('../orders/receipt-page.tsx'), 'ReceiptPage')
const LogInPage = page(() => import('../account/log-in-page.tsx'), 'LogInPage')
const RegisterPage = page(() => import('../account/register-page.tsx'), 'RegisterPage')
const AccountPage = page(() => import('../account/account-page.tsx'), 'AccountPage')

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <Routes>
          <Route element={<Layout />}>
            <Route index element={<HomePage />} />
            <Route path="shop" element={<CatalogPage />} />
            <Route path="shop/:category" element={<CatalogPage />} />
            <Route path="products/:id" element={<ProductPage />} />
            <Route path="cart" element={<CartPage />} />
            <Route path="checkout" element={<CheckoutPage />} />
            <Route path="orders" element={<OrdersPage />} />
            <Route path="orders/:id" element={<OrderPage />} />
            <Route path="orders/:id/receipt" element={<ReceiptPage />} />
            <Route path="log-in" element={<LogInPage />} />
            <Route path="register" element={<RegisterPage />} />
            <Route path="account" element={<AccountPage />} />
            <Route path="*" element={<NotFoundPage />} />
          </Route>
        </Routes>
      </BrowserRouter>
    </QueryClientProvider>
  )
}
