//! `hivecast sample`: an export to try things on, in the environment's warehouse.

use hivecast_run::{Context, Result};
use hivecast_sample::{Format, Sample};

use crate::args::{Global, SampleArgs, SampleFormat};
use crate::dates::Calendar;
use crate::failure::{Output, json_line};
use crate::logging::{self, print};
use crate::project::Project;
use crate::run::{CLOCK, Console};
