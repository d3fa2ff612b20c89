//! A bitmap that can write: letters are those of Noto Sans Mono, drawn beforehand
//! and built in, so that a PNG looks the same on every machine.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use plotters_bitmap::BitMapBackend;

/// What stands for a letter that there is none of.
const UNKNOWN: char = '?';

/// From this size of letters on, they are drawn in the larger of two heights.
const LARGE: f64 = 18.0;

/// A bitmap that can write.
pub(super) struct Lettered<'a>(pub(super) BitMapBackend<'a>);

type Failure<'a> = DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

impl<'a> DrawingBackend for Lettered<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), Failure<'a>> {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), Failure<'a>> {
        self.0.present()
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Result<(), Failure<'a>> {
        self.0.draw_pixel(at, color)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        self.0.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), Failure<'a>> {
        self.0.draw_rect(upper_left, bottom_right, style, fill)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), Failure<'a>> {
        let height = height(style.size());
        let (width, tall) = size(text, height);
        let anchor = style.anchor();
        let left = match anchor.h_pos {
            HPos::Left => at.0,
            HPos::Center => at.0 - width / 2,
            HPos::Right => at.0 - width,
        };
        let top = match anchor.v_pos {
            VPos::Top => at.1,
            VPos::Center => at.1 - tall / 2,
            VPos::Bottom => at.1 - tall,
        };
        let advance = get_raster_width(FontWeight::Regular, height) as i32;
        for (place, letter) in text.chars().enumerate() {
            self.draw_letter(
                letter,
                height,
                (left + place as i32 * advance, top),
                style.color(),
            )?;
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), Failure<'a>> {
        let (width, tall) = size(text, height(style.size()));
        Ok((width as u32, tall as u32))
    }
}

impl<'a> Lettered<'a> {
    fn draw_letter(
        &mut self,
        letter: char,
        height: RasterHeight,
        (left, top): BackendCoord,
        color: BackendColor,
    ) -> Result<(), Failure<'a>> {
        let drawn = |letter| get_raster(letter, FontWeight::Regular, height);
        let Some(raster) = drawn(letter).or_else(|| drawn(UNKNOWN)) else {
            return Ok(());
        };
        for (row, pixels) in raster.rows().enumerate() {
            for (column, darkness) in pixels.iter().enumerate().filter(|(_, dark)| **dark > 0) {
                let color = BackendColor {
                    alpha: color.alpha * f64::from(*darkness) / 255.0,
                    ..color
                };
                self.0
                    .draw_pixel((left + column as i32, top + row as i32), color)?;
            }
        }
        Ok(())
    }
}

fn height(size: f64) -> RasterHeight {
    match size >= LARGE {
        true => RasterHeight::Size20,
        false => RasterHeight::Size16,
    }
}

fn size(text: &str, height: RasterHeight) -> (i32, i32) {
    let advance = get_raster_width(FontWeight::Regular, height) as i32;
    (text.chars().count() as i32 * advance, height.val() as i32)
}
