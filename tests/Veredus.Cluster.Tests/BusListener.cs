using System.Text;

namespace Veredus.Cluster.Tests;

/// <summary>Reads a bus and keeps what it delivers; tests await what they look for.</summary>
internal sealed class BusListener
{
    private readonly Lock _lock = new();
    private readonly List<GroupEvent> _seen = [];
    private readonly List<(Predicate<IReadOnlyList<GroupEvent>> Condition, TaskCompletionSource Met)> _waiting = [];

    public BusListener(IGroupBus bus)
    {
        Bus = bus;
        Reading = ReadAsync();
    }

    public IGroupBus Bus { get; }

    public Task Reading { get; }

    public IReadOnlyList<GroupEvent> Seen
    {
        get
        {
            lock (_lock)
                return [.. _seen];
        }
    }

    /// <summary>Everything ordered, as text: messages with their sender, views with their members.</summary>
    public IEnumerable<string> Ordered => Seen.Select(happened => happened switch
    {
        GroupEvent.Message message => $"{message.Sender.NodeId}: {Text(message)}",
        GroupEvent.View view => Nodes(view),
        _ => null,
    }).OfType<string>();

    public static string Text(GroupEvent.Message message) => Encoding.UTF8.GetString(message.Payload.Span);

    public static string Nodes(GroupEvent.View view) => $"[{string.Join(" ", view.Membership.Members.Select(member => member.NodeId))}]";

    public void Say(string text) => Assert.Equal(SendOutcome.Accepted, Bus.Send(Encoding.UTF8.GetBytes(text)));

    public Task HasMembers(params uint[] nodes) => Until(
        seen => seen.OfType<GroupEvent.View>().LastOrDefault() is { } view && view.Membership.Members.Select(member => member.NodeId).SequenceEqual(nodes)
            && seen.LastOrDefault(happened => happened is GroupEvent.View or GroupEvent.Lost) is GroupEvent.View,
        $"members {string.Join(" ", nodes)} on {Bus.Self}");

    public Task Hears(string text) => Until(
        seen => seen.OfType<GroupEvent.Message>().Any(message => message.Payload.Length == text.Length && Text(message) == text), $"'{text}' on {Bus.Self}");

    public async Task Until(Predicate<IReadOnlyList<GroupEvent>> condition, string what)
    {
        var met = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (condition(_seen))
                return;
            _waiting.Add((condition, met));
        }
        try
        {
            await met.Task.WaitAsync(TimeSpan.FromSeconds(40));
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Never came: {what}. Seen last: {string.Join(", ", Ordered.TakeLast(5))}; {Seen.OfType<GroupEvent.Lost>().LastOrDefault()}");
        }
    }

    private async Task ReadAsync()
    {
        await foreach (var happened in Bus.Events.ReadAllAsync())
        {
            lock (_lock)
            {
                _seen.Add(happened);
                foreach (var (_, met) in _waiting.FindAll(waiting => waiting.Condition(_seen)))
                    met.TrySetResult();
                _waiting.RemoveAll(waiting => waiting.Met.Task.IsCompleted);
            }
        }
    }
}
