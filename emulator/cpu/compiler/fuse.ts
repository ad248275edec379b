// Whether the host multiplies and adds in one rounding. WebAssembly's relaxed_madd may or may not; what it does never changes while
// it runs, so a probe with operands that tell the difference decides. [WebAssembly core 3.0, relaxed SIMD]
import { CodeWriter, type Expression } from '../../wasm/code';
import { ModuleWriter } from '../../wasm/module';

/** a * b + c by relaxed_madd. */
export function relaxedMultiplyAdd(type: 'f32' | 'f64', a: Expression, b: Expression, c: Expression): Expression {
  return {
    type,
    emit: (f) => {
      for (const operand of [a, b, c]) {
        operand.emit(f);
        f.op(type === 'f32' ? 'f32x4.splat' : 'f64x2.splat');
      }
      f.op(type === 'f32' ? 'f32x4.relaxed_madd' : 'f64x2.relaxed_madd').firstLane(type);
    },
  };
}

function isComputation(value: unknown): value is (a: number, b: number, c: number) => number {
  return typeof value === 'function';
}

function probeModule(type: 'f32' | 'f64'): Uint8Array {
  const module = new ModuleWriter();
  const f = module.function([type, type, type], [type], 'multiplyAdd');
  const operand = (position: number): Expression => ({ type, emit: (to) => void to.get(f.parameter(position)) });
  new CodeWriter(f).result(relaxedMultiplyAdd(type, operand(0), operand(1), operand(2)));
  return module.finish();
}

/** Whether the host accepts the instruction, whatever it does. */
export function knowsRelaxedMultiplyAdd(): boolean {
  return WebAssembly.validate(probeModule('f64'));
}

function probe(type: 'f32' | 'f64', halfBits: number): boolean {
  const bytes = probeModule(type);
  if (!WebAssembly.validate(bytes)) return false;
  const { multiplyAdd } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  if (!isComputation(multiplyAdd)) return false;
  // (1 + e)^2 - (1 + 2e) is e^2, which a rounded product has lost.
  const e = 2 ** -halfBits;
  const small = multiplyAdd(1 + e, 1 + e, -(1 + 2 * e));
  // (1 + e) * (1 - e) - 1 is -e^2.
  const negative = multiplyAdd(1 + e, 1 - e, -1);
  return small === e * e && negative === -e * e;
}

let fuses: boolean | undefined;
export function hostFusesMultiplyAdd(): boolean {
  return (fuses ??= probe('f32', 13) && probe('f64', 28));
}
