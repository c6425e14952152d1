using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>Events, messages and effects in a form one can read in a trace.</summary>
internal static class Words
{
    public static string Of(object thing) => thing switch
    {
        ViewChangedEvent view => $"VIEW [{string.Join(' ', view.Members)}] left [{string.Join(' ', view.Left.Select(departure => $"{departure.Member}:{departure.Reason}"))}] joined [{string.Join(' ', view.Joined)}]",
        ViewOpenMessage open => $"VIEW_OPEN [{string.Join(' ', open.Members)}]",
        StateMessage state => $"STATE {state.Node} mature={state.Mature} draining={state.Draining} entries={state.Entries?.Count ?? -1} held [{string.Join(' ', state.Held)}] failed [{string.Join(' ', state.Failed)}] excluded [{string.Join(' ', state.Excluded)}]",
        ExcludeMessage exclude => $"EXCLUDE [{string.Join(' ', exclude.Members)}]",
        AnnounceMessage announce => $"ANNOUNCE draining={announce.Draining} changed [{string.Join(' ', announce.Changed.Select(entry => entry.Address))}] removed [{string.Join(' ', announce.Removed)}] failed [{string.Join(' ', announce.Failed)}]",
        MoveMessage move => $"MOVE {move.Kind} [{string.Join(' ', move.Moves.Select(unit => $"{unit.Unit}:{unit.From}>{unit.To}"))}]",
        ReleasedMessage released => $"RELEASED as of {released.AsOf} [{string.Join(' ', released.Addresses)}]",
        AcquiredMessage acquired => $"ACQUIRED [{string.Join(' ', acquired.Addresses)}]",
        PlumbEffect plumb => $"plumb {plumb.Address} ({ReasonText.Of(plumb.Reason)}) #{plumb.Operation}",
        UnplumbEffect unplumb => $"unplumb {unplumb.Address} ({ReasonText.Of(unplumb.Reason)}) #{unplumb.Operation}",
        StartServiceEffect start => $"serve {start.Vip.Address}",
        LogEffect log => $"log: {log.Text}",
        _ => thing.ToString()!,
    };
}
