// Pictures of a machine: taken between two slices of its run, so that every part of one belongs to the same step.
import type { VirtioEvent } from '../../emulator/record/events';
import type { InspectorModel } from '../../webview/model/inspector';

/** What the user looks at; what is left out is chosen: the device with the newest event, its busiest queue. */
export interface InspectionRequest {
  readonly device?: string;
  readonly queue?: number;
  /** Rows of the descriptor table that are in sight, for large queues. */
  readonly firstRow?: number;
  readonly rowCount?: number;
}

export interface InspectionSource {
  inspect(request: InspectionRequest): Promise<InspectorModel>;
  /** Events from `from` on, at most `count`; older ones than the log holds are left out. */
  events(from: number, count: number): Promise<readonly VirtioEvent[]>;
}
