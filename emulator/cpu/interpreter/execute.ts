// The interpreter: one function that runs a hart from decoded record to decoded record until its budget is used up or something
// needs the outside. Every instruction of the table contributes one handler for each length it can have.
import { call, CodeWriter, expression, load, op } from '../../wasm/code';
import type { Label } from '../../wasm/function';
import type { ModuleWriter } from '../../wasm/module';
import { boundaryBit } from '../compiler/frame';
import { control, entryShift, handlerMask, record, slotRegion, translation } from '../layout';
import { cell, cell32, setCell } from '../system/context';
import { loosePretence } from '../system/fetch';
import { cause, exitCode, outcome } from '../system/status';
import { entryOffset } from '../system/translate';
import { Frame, type FrameLabels, type SystemFunctions } from './frame';
import { RecordMeaning } from './meaning';
import { handlerCount, handlers, pseudoHandler } from './records';

/** Exports `execute(hart) -> exitCode`; budget and pc are passed in memory. An interrupt that is due is taken first. */
export function declareExecute(module: ModuleWriter, functions: SystemFunctions): void {
  const f = module.function(['i32'], ['i32'], 'execute');
  const c = new CodeWriter(f);
  const hart = f.parameter(0);
  const frame = new Frame(c, hart, functions);
  frame.reloadBudget();
  c.set(frame.pc, cell(hart, 'pc'));
  c.block((exit) => {
    c.loop((boundary) => {
      setCell(c, hart, 'pc', frame.pc);
      c.when(frame.budget, () => {
        c.store('i32.store', 0, frame.budget, control.budget);
        c.when(call(functions.traps.takeInterrupt, 'i32', hart), () => c.set(frame.pc, cell(hart, 'pc')));
        frame.reloadBudget();
      });
      c.loop((refetch) => {
        c.block((leave) => {
          emitFetch(frame, leave, exit);
          c.loop((dispatch) => emitDispatch(frame, { dispatch, refetch, boundary, leave, exit }));
        });
        c.set(frame.pc, cell(hart, 'pc'));
        c.brIf(refetch, op('i32.eq', frame.status, outcome.trapped));
        // The instruction did not happen, so it is not counted.
        c.set(frame.budget, op('i32.add', frame.budget, 1));
        c.set(frame.exit, frame.status);
        c.br(exit);
      });
    });
  });
  c.store('i32.store', 0, frame.budget, control.budget);
  setCell(c, hart, 'pc', frame.pc);
  c.result(frame.exit);
}

/** Finds the record of `pc`. A fetch that traps counts as an instruction attempted, so without budget nothing is fetched. */
function emitFetch(frame: Frame, leave: Label, exit: Label): void {
  const { c, hart, pc, budget, slot, page, loose, status } = frame;
  const { fetch, imports } = frame.functions;
  c.set(frame.dataTables, cell32(hart, 'dataTranslations'));
  c.set(frame.exit, exitCode.budget);
  c.brIf(exit, op('i32.eqz', budget));
  const count = (): void => {
    setCell(c, hart, 'pc', pc);
    c.store('i32.store', 0, op('i32.sub', budget, 1), control.budget);
  };
  const leaveOnTrap = (result: typeof status): void =>
    c.when(op('i32.lt_s', result, 0), () => {
      frame.reloadBudget();
      c.set(status, op('i32.sub', 0, result));
      c.br(leave);
    });
  const entry = frame.take('i32');
  const found = frame.take('i32');
  c.when(op('i32.eqz', loose), () => {
    c.set(page, op('i64.and', pc, -4096n));
    c.set(entry, op('i32.add', cell32(hart, 'fetchTranslations'), entryOffset(pc)));
    c.when(
      op('i64.eq', load('i64.load', entry, translation.tag), page),
      () => c.set(slot, load('i32.load', entry, translation.addend)),
      () => {
        count();
        c.set(found, call(fetch.page, 'i32', hart, pc));
        leaveOnTrap(found);
        c.set(slot, found);
        c.set(loose, op('i32.eqz', found));
      },
    );
    const within = op('i32.shl', op('i32.and', op('i32.wrap_i64', pc), 0xffe), 3);
    c.set(frame.record, op('i32.add', slot, within));
    if (frame.functions.region !== undefined) c.when(slot, () => frame.countArrival());
  });
  c.when(loose, () => {
    c.when(op('i32.and', op('i32.eq', loose, 1), op('i32.ne', load('i32.load', 0, control.breakpoints), 0)), () => {
      setCell(c, hart, 'pc', pc);
      c.set(loose, 0);
      c.set(frame.exit, exitCode.breakpoint);
      c.brIf(exit, call(imports.breakpoint, 'i32', hart));
    });
    c.set(loose, 0);
    count();
    c.set(found, call(fetch.loose, 'i32', hart, pc));
    leaveOnTrap(found);
    c.set(frame.record, found);
    c.set(slot, op('i32.sub', found, loosePretence.slotDistance));
    c.set(page, op('i64.sub', pc, loosePretence.pageDistance));
  });
  frame.releaseAll();
}

function emitDispatch(frame: Frame, labels: FrameLabels): void {
  const { c, budget } = frame;
  const { f } = c;
  // One block for each handler, the last one outermost: leaving block n stands at the start of handler n.
  const blocks: Label[] = [];
  for (let index = handlerCount - 1; index >= 0; index--) blocks[index] = f.block();
  c.when(op('i32.eqz', budget), () => {
    c.set(frame.pc, frame.currentPc());
    c.set(frame.exit, exitCode.budget);
    c.br(labels.exit);
  });
  c.set(budget, op('i32.sub', budget, 1));
  const illegal = blocks[pseudoHandler.illegal];
  if (illegal === undefined) throw new Error('the illegal handler has no block');
  const handler = load('i32.load16_u', frame.record, record.handler);
  if (frame.functions.region === undefined) {
    handler.emit(f);
    f.brTable(blocks, illegal);
  } else {
    c.set(frame.handler, handler);
    c.loop((interpret) => {
      c.block((compiled) => {
        f.get(frame.handler);
        f.brTable(blocks, compiled);
      });
      emitEnterRegion(frame, labels, interpret);
    });
    f.op('unreachable');
  }
  const pseudo = pseudoHandlers(frame, labels);
  for (let index = 0; index < handlerCount; index++) {
    f.end();
    frame.releaseAll();
    const emitPseudo = pseudo[index];
    if (emitPseudo !== undefined) {
      emitPseudo();
      continue;
    }
    const handler = handlers[index - pseudo.length];
    if (handler === undefined) throw new Error(`handler ${index} is not in the table`);
    const meaning = new RecordMeaning(frame, labels, handler.lengthBytes);
    handler.row.meaning(meaning);
    meaning.finish();
  }
}

/** A record with an entry number: runs the page's region from there while the budget suffices. */
function emitEnterRegion(frame: Frame, labels: FrameLabels, interpret: Label): void {
  const { c, hart, slot, page, budget, handler, functions } = frame;
  const { region } = functions;
  if (region === undefined) return;
  const before = op('i32.add', budget, 1);
  const number = frame.take('i32');
  const entry = frame.take('i32');
  c.set(number, op('i32.shr_u', handler, entryShift));
  c.set(entry, load('i32.load', op('i32.add', slot, op('i32.shl', number, 2)), slotRegion.entries));
  c.when(op('i32.ge_s', before, op('i32.shr_u', entry, slotRegion.needShift)), () => {
    for (const operand of [hart, number, page, before, op('i32.and', entry, slotRegion.functionMask)]) {
      expression(operand).emit(c.f);
    }
    c.f.callIndirect(region);
    c.f.set(budget);
    c.set(frame.pc, cell(hart, 'pc'));
    c.when(op('i32.ge_s', budget, 0), () => {
      c.brIf(labels.refetch, op('i32.lt_s', budget, boundaryBit));
      c.set(budget, op('i32.sub', budget, boundaryBit));
      c.br(labels.boundary);
    });
    // A region left this very instruction to the interpreter, maybe in another page.
    c.set(budget, op('i32.sub', op('i32.xor', budget, -1), 1));
    c.set(page, op('i64.and', frame.pc, -4096n));
    const fetched = op('i32.add', cell32(hart, 'fetchTranslations'), entryOffset(frame.pc));
    c.set(slot, load('i32.load', fetched, translation.addend));
    const within = op('i32.shl', op('i32.and', op('i32.wrap_i64', frame.pc), 0xffe), 3);
    c.set(frame.record, op('i32.add', slot, within));
    c.set(handler, load('i32.load16_u', frame.record, record.handler));
  });
  c.set(handler, op('i32.and', handler, handlerMask));
  c.br(interpret);
}

/** Emitters by handler number. None of these is an instruction, so the budget gets its step back. */
function pseudoHandlers(frame: Frame, labels: FrameLabels): readonly (() => void)[] {
  const { c, hart, budget } = frame;
  const { imports, traps } = frame.functions;
  const giveBack = (): void => c.set(budget, op('i32.add', budget, 1));
  const goLoose = (wanted: number): void => {
    c.set(frame.loose, wanted);
    c.set(frame.pc, frame.currentPc());
    c.br(labels.refetch);
  };
  const emitters: Record<keyof typeof pseudoHandler, () => void> = {
    decode: () => {
      giveBack();
      c.call(imports.decodeRecord, frame.record);
      c.br(labels.dispatch);
    },
    nextPage: () => {
      giveBack();
      c.set(frame.pc, frame.currentPc());
      c.br(labels.refetch);
    },
    loose: () => {
      giveBack();
      goLoose(2);
    },
    breakpoint: () => {
      giveBack();
      setCell(c, hart, 'pc', frame.currentPc());
      c.when(call(imports.breakpoint, 'i32', hart), () => {
        c.set(frame.pc, frame.currentPc());
        c.set(frame.exit, exitCode.breakpoint);
        c.br(labels.exit);
      });
      goLoose(2);
    },
    illegal: () => {
      frame.publish();
      const bits = load('i64.load32_u', frame.record, record.bits);
      c.set(frame.status, call(traps.raise, 'i32', hart, cause.illegalInstruction, bits));
      frame.reloadBudget();
      c.br(labels.leave);
    },
  };
  return Object.entries(emitters)
    .map(([name, emit]) => ({ number: pseudoHandler[name as keyof typeof pseudoHandler], emit }))
    .sort((a, b) => a.number - b.number)
    .map(({ emit }) => emit);
}
