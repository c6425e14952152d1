namespace Veredus.Moves;

/// <summary>What is to be done with one message, as things are.</summary>
public enum MoveStep
{
    /// <summary>Its binding is here: deliver it.</summary>
    Deliver,

    /// <summary>Nobody owns its binding, or nobody is known to: it stays until somebody does.</summary>
    Wait,

    /// <summary>It stays until a time, whoever owns its binding.</summary>
    Hold,

    /// <summary>Hand it to <see cref="MoveDecision.Target"/>.</summary>
    Send,
}

/// <param name="Target">For <see cref="MoveStep.Send"/>.</param>
/// <param name="UntilMs">For <see cref="MoveStep.Hold"/>.</param>
/// <param name="GivesUpDoubt">Another node may have it and did not answer in time: it goes on all the same, and is reported.</param>
/// <param name="Why">For people.</param>
public readonly record struct MoveDecision(MoveStep Step, string Target, long UntilMs, bool GivesUpDoubt, string Why);

/// <summary>What a message remembers of its moves.</summary>
/// <param name="Hops">Moves since somebody kept it.</param>
/// <param name="HeldUntilMs">Set when it came with too many hops; 0: not held.</param>
/// <param name="DoubtNode">Who may have it as well; <see langword="null"/>: nobody.</param>
/// <param name="DoubtSinceMs">Since when that is so.</param>
public readonly record struct MoveFacts(int Hops, long HeldUntilMs, string? DoubtNode, long DoubtSinceMs);

/// <summary>Which messages go where, and when (cluster.md 7.1, 7.4). Functions of their arguments.</summary>
public static class MoveRules
{
    /// <summary>A message that came over more nodes than this is kept for <see cref="LoopHoldMs"/>: the nodes disagree about the owner.</summary>
    public const int MaxHops = 4;

    public const long LoopHoldMs = 60_000;

    /// <summary>How long a message waits for a node that left and may have it.</summary>
    public const long DoubtMs = 60_000;

    /// <summary>Most connections to one target, and messages over one of them.</summary>
    public const int MaxConnections = 8, MaxMessagesPerConnection = 1000;

    /// <param name="isHere">The message's binding can send from this node.</param>
    /// <param name="owner">Who else has the binding; <see langword="null"/>: nobody known.</param>
    /// <param name="isMember">Whether a node is in the cluster now.</param>
    public static MoveDecision Decide(in MoveFacts message, bool isHere, string? owner, Func<string, bool> isMember, long nowMs)
    {
        var givesUp = false;
        if (message.DoubtNode is { } doubt)
        {
            // Whoever may have it is asked again, whoever owns the binding by now: the answer ends the doubt.
            if (isMember(doubt))
                return new(MoveStep.Send, doubt, 0, false, $"{doubt} was given it and has not answered: it is asked again");
            if (nowMs < message.DoubtSinceMs + DoubtMs)
                return new(MoveStep.Hold, "", message.DoubtSinceMs + DoubtMs, false, $"{doubt} may have it and is out of the cluster: it is waited for");
            givesUp = true;
        }
        if (isHere)
            return new(MoveStep.Deliver, "", 0, givesUp, "its binding is here");
        if (message.HeldUntilMs > nowMs)
            return new(MoveStep.Hold, "", message.HeldUntilMs, givesUp, $"it came over more than {MaxHops} nodes: it stays for a while");
        if (owner is null || !isMember(owner))
            return new(MoveStep.Wait, "", 0, givesUp, "nobody owns its binding");
        return new(MoveStep.Send, owner, 0, givesUp, $"{owner} owns its binding");
    }

    /// <summary>Whether a refusal means that the other node does not have the message.</summary>
    /// <param name="isSure">The node looked whether it has it before it refused.</param>
    /// <param name="wasInDoubt">An earlier copy went out unanswered; its octets may still be on their way there.</param>
    public static bool RefusalEndsDoubt(bool isSure, bool wasInDoubt, long doubtSinceMs, long nowMs) =>
        !wasInDoubt || (isSure && nowMs >= doubtSinceMs + DoubtMs);

    /// <summary>The hops that a message goes out with.</summary>
    public static int HopsOut(int hops) => hops > MaxHops ? 0 : hops;

    /// <summary>Whether a message that came with so many hops is kept for a while before it goes on.</summary>
    public static bool MustHold(int hops) => hops > MaxHops;

    /// <summary>Connections that a target's queue wants.</summary>
    public static int WantedConnections(int waiting) => waiting == 0 ? 0 : Math.Min(MaxConnections, 1 + waiting / 2);

    /// <summary>Messages a second that leave the queues of a binding that has moved (duravip.md 3.10: at most 1000): half as many where tasks wait for a processor most of the time.</summary>
    /// <param name="pressure">Share of the time in which some task waited for a processor, 0 to 1.</param>
    public static int MigrationRate(double pressure) => (int)Math.Round(1000 - 500 * Math.Clamp((pressure - 0.25) / 0.5, 0, 1));

    /// <summary>Milliseconds until the next try after so many failures in a row: 1, 2, 4 … 60 s. Not an attempt to deliver.</summary>
    public static long BackOffMs(int failures) => Math.Min(60_000, 1000L << Math.Clamp(failures - 1, 0, 6));
}
