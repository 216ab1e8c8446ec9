// signed-out.js - nothing to do but the languages.
import './ui.js'
