using System.Threading.Channels;
using Veredus.Cluster;

namespace Veredus.ConfigServer.Tests;

/// <summary>A group whose members sit in one process; the test splits and joins it.</summary>
internal sealed class SwitchBus
{
    private readonly Lock _order = new();
    private readonly List<Port> _ports = [];

    public IGroupBus Join()
    {
        lock (_order)
        {
            var port = new Port(this, new((uint)_ports.Count + 1, 1));
            _ports.Add(port);
            Announce(port.Component);
            return port;
        }
    }

    /// <summary>Puts the n-th member that joined into a component.</summary>
    public void Arrange(params int[] components)
    {
        lock (_order)
        {
            for (var i = 0; i < components.Length; i++)
                _ports[i].Component = components[i];
            foreach (var component in components.Distinct())
                Announce(component);
        }
    }

    private void Announce(int component)
    {
        var ports = _ports.Where(port => port.Component == component && !port.IsGone).ToList();
        var members = ports.Select(port => port.Self).ToList();
        ports.ForEach(port => port.Publish(new GroupEvent.View(new(members, members, [], []))));
    }

    private sealed class Port(SwitchBus bus, MemberId self) : IGroupBus
    {
        private readonly Channel<GroupEvent> _events = Channel.CreateUnbounded<GroupEvent>();

        public string Group => "ec_config";
        public MemberId Self => self;
        public ChannelReader<GroupEvent> Events => _events.Reader;
        public bool IsDrained => _events.Reader.Count == 0;
        public int Component { get; set; }
        public bool IsGone { get; private set; }

        public void Publish(GroupEvent happened) => _events.Writer.TryWrite(happened);

        public SendOutcome Send(ReadOnlySpan<byte> message)
        {
            var copy = message.ToArray();
            lock (bus._order)
                foreach (var port in bus._ports.Where(port => port.Component == Component && !port.IsGone))
                    port.Publish(new GroupEvent.Message(Self, copy));
            return SendOutcome.Accepted;
        }

        public void Reset(string reason)
        {
        }

        public ValueTask DisposeAsync()
        {
            lock (bus._order)
            {
                IsGone = true;
                _events.Writer.TryComplete();
                bus.Announce(Component);
            }
            return ValueTask.CompletedTask;
        }
    }
}
