using System.Threading.Channels;

namespace Veredus.Cluster.Tests;

/// <summary>A group in memory: one order for all members, who come and go as the test says.</summary>
internal sealed class MemoryGroup(string name = "ec_console")
{
    private readonly Lock _order = new();
    private readonly List<Bus> _members = [];
    private uint _next;

    /// <summary>A new member; the others see it join.</summary>
    public Bus Join()
    {
        lock (_order)
        {
            var bus = new Bus(this, new(++_next, 1), name);
            Add(bus);
            return bus;
        }
    }

    private void Add(Bus bus)
    {
        _members.Add(bus);
        View([bus.Self], []);
    }

    private void View(MemberId[] joined, Departed[] left)
    {
        MemberId[] members = [.. _members.Select(member => member.Self).Order()];
        foreach (var member in _members)
        {
            MemberId[] together = joined.Contains(member.Self) ? [member.Self] : [.. members.Except(joined)];
            member.Publish(new GroupEvent.View(new(members, together, joined.Contains(member.Self) ? [.. members] : joined, left)));
        }
    }

    /// <summary>One member's way into the group.</summary>
    internal sealed class Bus(MemoryGroup group, MemberId self, string name) : IGroupBus
    {
        private readonly Channel<GroupEvent> _events = Channel.CreateUnbounded<GroupEvent>();

        public string Group => name;

        public MemberId Self => self;

        public ChannelReader<GroupEvent> Events => _events.Reader;

        public bool IsDrained => _events.Reader.Count == 0;

        /// <summary>Messages of this member vanish, as in a daemon that dies with them.</summary>
        public bool IsLossy { get; set; }

        /// <summary>Completes when a message has vanished.</summary>
        public TaskCompletionSource Swallowed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public SendOutcome Send(ReadOnlySpan<byte> message)
        {
            var copy = message.ToArray();
            lock (group._order)
            {
                if (!group._members.Contains(this))
                    return SendOutcome.NotJoined;
                if (IsLossy)
                    Swallowed.TrySetResult();
                else
                    group._members.ForEach(member => member.Publish(new GroupEvent.Message(self, copy)));
                return SendOutcome.Accepted;
            }
        }

        public void Publish(GroupEvent happened) => _events.Writer.TryWrite(happened);

        /// <summary>The connection breaks: the others see it leave.</summary>
        public void Lose()
        {
            lock (group._order)
            {
                if (!group._members.Remove(this))
                    return;
                Publish(new GroupEvent.Lost("the test cut it"));
                group.View([], [new(self, Departure.ProcessDown)]);
            }
        }

        /// <summary>Back again.</summary>
        public void Return()
        {
            lock (group._order)
                group.Add(this);
        }

        public void Reset(string reason)
        {
            Lose();
            Return();
        }

        public ValueTask DisposeAsync()
        {
            Lose();
            _events.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }
    }
}
