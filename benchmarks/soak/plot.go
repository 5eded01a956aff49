package main

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/oidcauth/oidcauth/benchmarks/internal/figure"
)

const (
	plotWidth = 28 * vg.Centimeter
	rowHeight = 7 * vg.Centimeter
)

// draw writes what the processes held over time, with what happened behind it: bands are
// outages of the issuer, and lines the ends and returns of NATS servers.
func (w *world) draw(path string) error {
	var rows [][]*plot.Plot
	for _, m := range measures {
		p := figure.New("", "")
		p.Y.Label.Text = m.name
		p.Y.Min, p.X.Max = 0, w.length.Minutes()
		if err := w.addLines(p, m); err != nil {
			return err
		}
		p.Y.Max *= 1.15 // for the legend
		if err := w.addEvents(p); err != nil {
			return err
		}
		p.Legend.Top, p.Legend.XOffs = true, -vg.Millimeter
		rows = append(rows, []*plot.Plot{p})
	}
	rows[0][0].Title.Text = fmt.Sprintf("A soak of %v: issuer away (bands), NATS servers killed (lines) and back (dashes)", w.length)
	rows[len(rows)-1][0].X.Label.Text = "minutes"
	return figure.Write(path, plotWidth, rowHeight*vg.Length(len(rows)), rows)
}

func (w *world) addLines(p *plot.Plot, m measure) error {
	colours := []color.Color{figure.Palette()[0], figure.Palette()[1], color.RGBA{R: 0xc0, G: 0x5a, B: 0x1c, A: 0xff}}
	for n, s := range w.servers {
		points := make(plotter.XYs, 0, len(w.samples[n]))
		for _, s := range w.samples[n] {
			points = append(points, plotter.XY{X: s.at.Minutes(), Y: m.of(s) / m.unit})
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color, line.Width = colours[n], vg.Points(1.2)
		p.Add(line)
		p.Legend.Add(s.name, line)
	}
	return nil
}

// addEvents adds what happened, in front of the lines but faint.
func (w *world) addEvents(p *plot.Plot) error {
	for _, e := range w.happened {
		from, to := e.from.Minutes(), e.to.Minutes()
		switch e.kind {
		case outage:
			band, err := plotter.NewPolygon(plotter.XYs{{X: from, Y: 0}, {X: from, Y: p.Y.Max}, {X: to, Y: p.Y.Max}, {X: to, Y: 0}})
			if err != nil {
				return err
			}
			band.Color, band.LineStyle.Width = color.NRGBA{R: 0xe0, G: 0xa0, B: 0x30, A: 0x50}, 0
			p.Add(band)
		case killed:
			for n, at := range []float64{from, to} {
				line, err := plotter.NewLine(plotter.XYs{{X: at, Y: 0}, {X: at, Y: p.Y.Max}})
				if err != nil {
					return err
				}
				line.Color, line.Width = color.Gray{Y: 0x90}, vg.Points(0.6)
				if n == 1 {
					line.Dashes = []vg.Length{vg.Points(2), vg.Points(3)}
				}
				p.Add(line)
			}
		}
	}
	return nil
}
