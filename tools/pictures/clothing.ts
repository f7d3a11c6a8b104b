/** Owns the pictures of clothes: laid out flat, but for what stands by itself. */
import { circle, dashes, dots, ellipse, faded, line, path, rect, turned } from './pen.ts'
import { lying, shadow, standing, type Pictures } from './scene.ts'
import {
  brass,
  clay,
  coal,
  INK,
  linen,
  oak,
  PAPER,
  pine,
  plum,
  ROOMS,
  rose,
  saffron,
  sea,
  walnut,
} from './tones.ts'

const room = ROOMS.Clothing
const SWEATER =
  'M190 92c30 18 70 18 100 0l56 22c22 10 34 30 40 56l40 178-50 16-42-150v186H146V214l-42 150-50-16 40-178c6-26 18-46 40-56z'
const SHIRT =
  'M196 78h88l66 30c16 8 26 20 34 40l44 118-56 26-34-82v206H142V210l-34 82-56-26 44-118c8-20 18-32 34-40z'
const JACKET =
  'M194 78h92l62 26c22 10 34 26 38 50l32 206-56 12-24-150v188H142V222l-24 150-56-12 32-206c4-24 16-40 38-50z'
const PARKA =
  'M190 112c-8-60 108-60 100 0l62 24c20 8 30 22 34 44l34 184-54 14-26-128v176H140V250l-26 128-54-14 34-184c4-22 14-36 34-44z'

export const clothing: Pictures = {
  'prd_merino-sweater': lying(
    room,
    path(SWEATER, INK),
    path(SWEATER, plum.base),
    path('M134 114c-22 10-34 30-40 56L54 348l50 16 42-150-4-42z', plum.light),
    path('M346 114c22 10 34 30 40 56l40 178-50 16-42-150 4-42z', plum.dark),
    path('M146 214l-4-42-8-58 56-22c8 6 16 9 24 11-30 60-36 180-22 297h-46z', plum.light),
    line('M134 114c8 16 10 36 8 58l4 42', plum.base, 4),
    path('M52 352l4-20 52 16-6 20zM428 352l-4-20-52 16 6 20z', plum.dark),
    rect(146, 372, 188, 30, plum.dark, 4),
    dashes('M150 387h180', plum.base, 24, 4, 6),
    path('M184 90c30 24 82 24 112 0l6 10c-34 30-90 30-124 0z', plum.dark),
    dashes('M186 98c34 24 74 24 108 0', plum.base, 9, 3, 5),
    path('M200 94c24 12 56 12 80 0-6-8-74-8-80 0z', '#331430'),
    faded(
      0.35,
      dashes('M172 150v210M204 140v222M240 140v222M276 140v222M308 150v210', plum.light, 3, 7, 7),
    ),
  ),
  'prd_linen-shirt': lying(
    room,
    path(SHIRT, INK),
    path(SHIRT, PAPER),
    path('M130 108c-16 8-26 20-34 40L52 266l56 26 34-82 4-64z', '#ffffff'),
    path('M350 108c16 8 26 20 34 40l44 118-56 26-34-82-4-64z', linen.dark),
    path('M300 84c14 90 20 210 6 332h32V210l-4-64 16-38z', linen.base),
    line('M142 146v64M338 146v64', linen.dark, 3),
    rect(229, 110, 22, 306, linen.base),
    dashes('M231 110v306M249 110v306', linen.dark, 2, 6, 4),
    ...[150, 200, 250, 300, 350].map((y) => circle(240, y, 5.5, oak.dark)),
    path('M204 74h72c-4 18-18 32-36 40-18-8-32-22-36-40z', linen.dark),
    path(
      'M196 78l14-14c6 22 16 38 30 50l-30 28c-10-18-16-42-14-64zM284 78l-14-14c-6 22-16 38-30 50l30 28c10-18 16-42 14-64z',
      linen.light,
    ),
    line('M196 78c-2 22 4 46 14 64l30-28 30 28c10-18 16-42 14-64', linen.dark, 3),
    path('M270 196h46v46l-23 12-23-12z', linen.light),
    line('M270 196h46v46l-23 12-23-12zM270 206h46', linen.dark, 2.5),
    faded(0.6, line('M160 396c10-60 8-120 2-170M190 398c6-40 6-90 0-130', linen.base, 6)),
    line('M66 262l52 24M414 262l-52 24', linen.base, 4),
  ),
  'prd_work-jacket': lying(
    room,
    path(JACKET, INK),
    path(JACKET, sea.base),
    path('M132 104c-22 10-34 26-38 50L62 360l56 12 24-150 4-64z', sea.light),
    path('M348 104c22 10 34 26 38 50l32 206-56 12-24-150-4-64z', sea.dark),
    path('M142 410V222l4-64-14-54 62-26c-20 90-24 220-14 332z', sea.light),
    line('M132 104c8 16 14 36 14 54l-4 64', sea.base, 4),
    path('M194 78l46 62 46-62-14-10h-64z', sea.dark),
    path('M208 68h64l-32 42z', '#22404f'),
    path(
      'M194 78l14-14 32 62-34 36c-14-22-18-54-12-84zM286 78l-14-14-32 62 34 36c14-22 18-54 12-84z',
      sea.base,
    ),
    line('M194 78c-6 30-2 62 12 84l34-36 34 36c14-22 18-54 12-84', sea.dark, 3),
    line('M240 130v278', sea.dark, 4),
    ...[182, 238, 294, 350].map((y) => circle(254, y, 7, brass.base)),
    ...[
      [270, 186, 46, 52],
      [160, 296, 62, 76],
      [268, 296, 56, 76],
    ].flatMap(([x = 0, y = 0, w = 0, h = 0]) => [
      rect(x, y, w, h, '#376179', 6),
      dashes(`M${x + 5} ${y + 6}h${w - 10}M${x + 5} ${y + 14}h${w - 10}`, PAPER, 2, 5, 4),
    ]),
    line('M282 182v-14M290 182v-18', clay.base, 6),
    faded(0.6, dashes('M70 350l48 10M410 350l-48 10M146 402h188', PAPER, 2, 5, 4)),
  ),
  'prd_wool-socks': lying(
    room,
    path(
      'M108 84h76v190c0 20 60 30 84 62 18 26-4 56-36 54-70-2-124-40-124-96zM262 84h76v170c0 20 60 34 82 66 18 26-4 58-36 56-70-2-122-40-122-96z',
      INK,
    ),
    ...[
      { x: 0, y: 0, tone: clay, stripe: PAPER },
      { x: 154, y: -14, tone: pine, stripe: saffron.light },
    ].flatMap(({ x, y, tone, stripe }) => [
      `<g transform="translate(${x} ${y})">`,
      path('M128 98h76v176c0 20 60 30 84 62 18 26-4 56-36 54-70-2-124-40-124-96z', tone.dark),
      path('M108 98h76v190c0 20 60 30 84 62 18 26-4 56-36 54-70-2-124-40-124-96z', tone.base),
      path('M108 98h30c2 90-2 160 6 210 8 50 40 78 84 94-68-6-120-44-120-108z', tone.light),
      path(
        'M108 268h4c20 0 36 18 36 44 0 22-8 40-18 50-14-16-22-38-22-68zM232 318c14 10 28 20 36 32 18 26-4 56-36 54h-10c-14-30-10-62 10-86z',
        stripe,
      ),
      rect(104, 84, 84, 40, tone.dark, 8),
      dashes('M108 104h78', tone.base, 34, 4, 6),
      rect(108, 146, 76, 11, stripe),
      rect(108, 166, 76, 6, stripe),
      '</g>',
    ]),
  ),
  'prd_rain-parka': lying(
    room,
    path(PARKA, INK),
    path(PARKA, saffron.base),
    path('M128 136c-20 8-30 22-34 44L60 364l54 14 26-128 6-70z', saffron.light),
    path('M352 136c20 8 30 22 34 44l34 184-54 14-26-128-6-70z', saffron.dark),
    path('M140 426V250l6-70-18-44 62-24c6 20 14 30 24 38-26 80-36 170-30 276z', saffron.light),
    line('M128 136c10 14 18 30 18 44l-6 70', saffron.base, 4),
    path('M188 120c-14-70 118-70 104 0-4 26-26 44-52 52-26-8-48-26-52-52z', saffron.dark),
    path('M202 118c-8-48 84-48 76 0-4 20-18 34-38 42-20-8-34-22-38-42z', INK),
    path('M212 124c-4-34 60-34 56 0-4 16-14 26-28 32-14-6-24-16-28-32z', sea.dark),
    line('M240 158v264', saffron.dark, 12),
    dashes('M240 162v258', PAPER, 5, 5, 5),
    line('M214 158c0 26-4 40-8 54M266 158c0 26 4 40 8 54', PAPER, 3.5),
    circle(206, 214, 5, coal.base),
    circle(274, 214, 5, coal.base),
    path('M158 300h58v18h-58zM264 300h58v18h-58z', saffron.dark),
    rect(156, 290, 62, 16, '#eeb83f', 4),
    rect(262, 290, 62, 16, '#eeb83f', 4),
    line('M144 394h192M66 352l52 13M414 352l-52 13', saffron.dark, 5),
    faded(
      0.8,
      line(
        'M92 66l-10 24M396 60l-10 24M432 128l-10 24M52 132l-10 24M136 60l-8 20M348 82l-8 20',
        sea.base,
        6,
      ),
    ),
  ),
  'prd_canvas-sneakers': standing(
    room,
    shadow(232, 398, 176),
    ...[
      { x: 62, y: -46, shade: true },
      { x: 0, y: 0, shade: false },
    ].flatMap(({ x, y, shade }) => [
      `<g transform="translate(${x} ${y})">`,
      path(
        'M66 366c-6-40-4-90 2-128 26 12 70 12 104-14 24 54 60 84 120 96 40 8 62 22 64 46z',
        shade ? clay.dark : clay.base,
      ),
      ...(shade
        ? []
        : [path('M66 366c-6-40-4-90 2-128 12 6 26 8 42 6-16 34-16 80-6 122z', clay.light)]),
      path(
        'M148 238c8-3 17-8 24-14 24 54 60 84 120 96l-34 40c-60-16-100-60-110-122z',
        shade ? '#8a3823' : clay.dark,
      ),
      path('M292 320c40 8 62 22 64 46h-78c-2-18 2-34 14-46z', PAPER),
      line('M172 262l34-14M188 286l36-16M208 306l34-18M230 322l30-20', PAPER, 8),
      path('M60 360h298c6 22-2 34-20 34H80c-18 0-24-14-20-34z', PAPER),
      rect(60, 374, 298, 6, sea.base),
      path('M64 384h292c-3 8-9 12-18 12H80c-10 0-15-5-16-12z', '#b9773c'),
      path('M68 238c8 4 20 7 32 7l-2 12c-12 0-24-3-32-7z', PAPER),
      circle(104, 312, 19, PAPER),
      circle(104, 312, 12, sea.base),
      '</g>',
    ]),
  ),
  'prd_silk-scarf': lying(
    room,
    turned(8, path('M92 92h296v296H92z', INK)),
    turned(
      8,
      path('M92 92h296v296H92z', sea.base),
      path('M112 112h256v256H112z', PAPER),
      path('M112 190c42-34 86-34 128 0s86 34 128 0v178H112z', rose.base),
      path('M112 240c42-34 86-34 128 0s86 34 128 0v128H112z', clay.base),
      path('M112 290c42-34 86-34 128 0s86 34 128 0v78H112z', plum.base),
      path('M112 338c42-30 86-30 128 0s86 30 128 0v30H112z', sea.dark),
      circle(302, 156, 26, saffron.base),
      faded(
        0.75,
        line(
          'M130 206c34-24 70-22 104 4M250 262c34 20 70 22 104 2M130 304c34-22 68-22 100 2M256 354c30 12 66 16 98-2',
          PAPER,
          3,
        ),
      ),
      dots('M102 102h276v276H102z', PAPER, 6, 18.4),
      path('M388 290v98h-98c10-42 50-84 98-98z', sea.light),
      path('M388 290c-24 30-30 60-20 78-26-4-54 4-78 20 10-42 50-84 98-98z', sea.dark),
    ),
  ),
  'prd_felt-hat': standing(
    room,
    shadow(240, 388, 196),
    ellipse(240, 356, 198, 44, walnut.dark),
    path('M42 346c0-26 70-40 198-40s198 14 198 40c0 24-90 38-198 38S42 370 42 346z', walnut.base),
    path('M42 346c0-22 48-35 138-39-50 20-60 50-44 72-60-6-94-18-94-33z', walnut.light),
    path(
      'M128 336c4-70 18-150 60-164 22-8 34 8 52 8s32-16 54-8c42 14 54 94 58 164 0 18-224 18-224 0z',
      walnut.base,
    ),
    path(
      'M128 336c4-70 18-150 60-164 10-4 18-2 26 1-40 30-54 100-48 174-24-2-38-6-38-11z',
      walnut.light,
    ),
    path(
      'M294 172c42 14 54 94 58 164 0 6-20 10-50 12 22-70 18-140-20-175 4-1 8-2 12-1z',
      walnut.dark,
    ),
    path('M200 178c14 4 24 8 40 8s28-4 40-8c-8 24-22 36-40 36s-32-12-40-36z', walnut.dark),
    path('M130 310c60 14 160 14 220 0l2 30c-50 18-176 18-224 0z', INK),
    path('M130 310c16 4 34 7 54 8l-4 32c-24-2-42-6-52-10z', coal.light),
    path('M318 318l34 4-4 28-30 2z', plum.base),
    path('M330 322c2-40 14-74 40-98 6 36-8 74-32 100z', sea.base),
    path('M333 322c4-36 14-66 37-98-2 38-14 70-32 100z', sea.light),
  ),
}
