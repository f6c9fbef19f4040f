// Writes table.json: when robfig/cron, which kubeflow's operator uses, runs schedules in five zones over twenty years.
//
//	cd tests/operator/cron && go run . >table.json
//
// A run that robfig/cron makes at a time its schedule does not name, as it does where clocks change by half an hour, is
// counted as unnamed and left out.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

var zones = []string{"UTC", "Asia/Seoul", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"}

var schedules = []string{
	"*/15 2 * * *", "30 1 * * *", "0 3 * * *", "30 0 * * mon-fri", "0 0 1 * *", "*/30 * * 3,4,10,11 sun", "15 2,14 13 * fri",
	"0 5 */2 * 1", "0 12 29 2 *", "@weekly", "@hourly", "0 1 ? * SUN",
}

// Case is what one schedule does in one zone.
type Case struct {
	Zone     string              `json:"zone"`
	Schedule string              `json:"schedule"`
	Until    string              `json:"until"`
	Count    int                 `json:"count"`
	Unnamed  int                 `json:"unnamed"`
	Sha256   string              `json:"sha256"`
	Round    map[string][]string `json:"round,omitempty"`
}

func main() {
	from := time.Date(2020, 1, 1, 0, 0, 30, 0, time.UTC)
	cases := []Case{}
	for _, zone := range zones {
		location, err := time.LoadLocation(zone)
		check(err)
		for _, schedule := range schedules {
			until := from.AddDate(20, 0, 0)
			if schedule == "@hourly" {
				until = from.AddDate(2, 0, 0)
			}
			cases = append(cases, one(location, schedule, from, until))
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	check(out.Encode(map[string]any{"from": text(from), "cases": cases}))
}

// one runs a schedule from one moment until another.
func one(location *time.Location, schedule string, from, until time.Time) Case {
	parsed, err := cron.ParseStandard("CRON_TZ=" + location.String() + " " + schedule)
	check(err)
	spec := parsed.(*cron.SpecSchedule)
	runs, unnamed := []int64{}, 0
	for moment := spec.Next(from); !moment.After(until); moment = spec.Next(moment) {
		if moment.IsZero() {
			break
		}
		if named(spec, moment.In(location)) {
			runs = append(runs, moment.Unix())
		} else {
			unnamed++
		}
	}
	lines := strings.Trim(fmt.Sprint(runs), "[]")
	sum := sha256.Sum256([]byte(lines))
	return Case{
		location.String(), schedule, text(until), len(runs), unnamed, hex.EncodeToString(sum[:]), round(location, runs, from, until),
	}
}

// named says whether clocks show a time that the schedule names; the day is robfig/cron's own matter.
func named(spec *cron.SpecSchedule, local time.Time) bool {
	return 1<<uint(local.Hour())&spec.Hour > 0 && 1<<uint(local.Minute())&spec.Minute > 0 && 1<<uint(local.Month())&spec.Month > 0
}

// round gives the runs within three hours of each change of the clock, as minutes from it, with the changes that have them.
func round(location *time.Location, runs []int64, from, until time.Time) map[string][]string {
	found := map[string][]string{}
	hour := from.Truncate(time.Hour)
	for ; hour.Before(until); hour = hour.Add(time.Hour) {
		_, before := hour.In(location).Zone()
		_, after := hour.Add(time.Hour).In(location).Zone()
		if before == after {
			continue
		}
		change := hour.Add(time.Hour) // moves to the change itself, which may be at half past
		if _, half := hour.Add(30 * time.Minute).In(location).Zone(); half == after {
			change = hour.Add(30 * time.Minute)
		}
		minutes := []string{}
		for _, run := range runs {
			if away := (run - change.Unix()) / 60; away >= -180 && away <= 180 {
				minutes = append(minutes, fmt.Sprint(away))
			}
		}
		key := strings.Join(minutes, " ")
		found[key] = append(found[key], change.UTC().Format("2006-01-02T15:04Z"))
	}
	return found
}

func text(moment time.Time) string { return moment.UTC().Format(time.RFC3339) }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
