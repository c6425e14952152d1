using Veredus.Node.Moves;

namespace Veredus.Node.Tests;

/// <summary>What <c>explain message</c> says of attempts, and of those that no log tells of.</summary>
public sealed class MessageHistoryTests
{
    private static readonly DateTimeOffset s_begin = DateTimeOffset.FromUnixTimeSeconds(1790000000);

    [Fact]
    public void Attempts_of_all_nodes_are_told_by_time_and_a_hand_over_in_the_same_second_parts_them()
    {
        var gone = Place("mta1", MessagePlace.Gone, attempts: 0) with { At = s_begin.AddSeconds(60.4), Why = "handed to mta2", History = [Attempt("mta1", 1, 0), Attempt("mta1", 2, 60)] };
        var here = Place("mta2", MessagePlace.Waiting, attempts: 4) with { History = [Attempt("mta2", 3, 60), Attempt("mta2", 4, 120)], HistoryBeginsAt = s_begin };
        var lines = MessagePlace.Explain("X", [here, gone], []).Where(line => line.Contains("Z  ", StringComparison.Ordinal)).Select(line => line.Trim()[22..].Split("  b1")[0]);
        Assert.Equal(["mta1  attempt 1", "mta1  attempt 2", "mta1  handed to mta2", "mta2  attempt 3", "mta2  attempt 4"], lines);
    }

    [Fact]
    public void An_attempt_names_where_it_went_from_and_to_and_the_reply() =>
        Assert.Equal("attempt 2  b1 198.18.0.5 -> d.test [203.0.113.25]  451 4.7.1 later (after RCPT TO)", Attempt("mta1", 2, 0).Text);

    [Fact]
    public void Attempts_that_no_log_tells_of_are_named_with_where_the_logs_begin()
    {
        var place = Place("mta1", MessagePlace.Waiting, attempts: 6) with { History = [Attempt("mta1", 4, 0), Attempt("mta1", 5, 60) with { Domain = "" }], HistoryBeginsAt = s_begin };
        Assert.Contains("! of attempts 1 to 3, 5 to 6 no main log tells: mta1's begins at 2026-09-21 14:13:20Z", MessagePlace.Explain("X", [place], []));
        Assert.Contains("! of attempts 1 to 3, 5 to 6 no main log tells: mta1 writes none that can be read", MessagePlace.Explain("X", [place with { HistoryBeginsAt = null }], []));
        Assert.DoesNotContain(MessagePlace.Explain("X", [place with { Attempts = 0 }], []), line => line.StartsWith('!'));
        Assert.DoesNotContain(MessagePlace.Explain("X", [place with { History = null }], []), line => line.StartsWith('!'));
    }

    private static MessageAttempt Attempt(string node, int number, int second) =>
        new(s_begin.AddSeconds(second), node, number, "b1", "198.18.0.5", "d.test", "203.0.113.25", "after RCPT TO", "451 4.7.1 later", IsFinal: false);

    private static MessagePlace Place(string node, string state, int attempts) =>
        new(node, "X", state, "default", "b1", "d.test", "198.18.0.5", node, "", "it waits", "", attempts, 451, null, null, "mta1", 0, "", "a@d.test", 1);
}
