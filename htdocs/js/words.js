/* words: every phrase of the page, in every language: the same keys in each,
 * and in each phrase the same {names}. "error." keys are the gateway's code
 * words, "reason." keys its words for why a model is not available. */

import { en } from "./en.js";
import { es } from "./es.js";

export const words = { en, es };
