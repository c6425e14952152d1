using System.Net;
using Veredus.Smtp;

namespace Veredus.Node.Inbound;

/// <summary>Sockets of virtual addresses: open while the address is on this host, whatever the configuration does meanwhile.</summary>
internal sealed partial class SmtpListeners
{
    private readonly Dictionary<IPAddress, (VirtualAddress At, Dictionary<string, Listener> Listeners)> _virtual = [];

    /// <summary>Opens what the configuration in force wants on the address, before or after it is here; closes what it does not want any more.</summary>
    /// <exception cref="IOException">A socket cannot be opened.</exception>
    public void OpenVirtual(IPAddress address)
    {
        lock (_virtual)
        {
            if (!_isStarted)
                return;
            if (!_virtual.TryGetValue(address, out var entry) || entry.At.IsClosing)
                _virtual[address] = entry = (new(), new(StringComparer.Ordinal));
            var wanted = _settings.Current.SmtpListensOn(address).ToDictionary(listen => listen.Endpoint.ToString(), StringComparer.Ordinal);
            foreach (var (name, listen) in wanted.Where(pair => !entry.Listeners.ContainsKey(pair.Key)))
            {
                var opened = Listener.Open(listen, at: entry.At);
                entry.Listeners.Add(name, opened);
                Accept(opened);
            }
            foreach (var (name, listener) in entry.Listeners.Where(pair => !wanted.ContainsKey(pair.Key)).ToList())
            {
                listener.Dispose();
                entry.Listeners.Remove(name);
            }
        }
    }

    /// <summary>
    /// 421 to the sessions on the address at their next command boundary; then, or when the time is over, sessions and sockets are gone. Who connects meanwhile gets the 421 at once,
    /// and is not waited for: steady newcomers must not hold the address here.
    /// </summary>
    /// <param name="outbound">Ends with the connections from the address, within the same time: until then its sockets stay open, so that nobody is refused while it is still here.</param>
    public async Task CloseVirtualAsync(IPAddress address, TimeSpan drain, Task outbound)
    {
        (VirtualAddress At, Dictionary<string, Listener> Listeners) entry;
        bool isOpen;
        lock (_virtual)
            isOpen = _virtual.TryGetValue(address, out entry);
        if (isOpen)
        {
            try
            {
                await entry.At.CloseAsync(SmtpReplies.ShuttingDown).WaitAsync(drain, _parts.Time);
            }
            catch (TimeoutException)
            {
                // Reset below, like the newcomers.
            }
        }
        await outbound;
        if (!isOpen)
            return;
        entry.At.Abort();
        lock (_virtual)
        {
            foreach (var listener in entry.Listeners.Values)
                listener.Dispose();
            entry.Listeners.Clear();
            if (_virtual.TryGetValue(address, out var now) && now.At == entry.At)
                _virtual.Remove(address);
        }
    }

    private void CloseVirtual()
    {
        lock (_virtual)
        {
            foreach (var listener in _virtual.Values.SelectMany(entry => entry.Listeners.Values))
                listener.Dispose();
            _virtual.Clear();
            _isStarted = false;
        }
    }

    /// <summary>One stay of a virtual address on this host, and the sessions on it.</summary>
    private sealed class VirtualAddress
    {
        private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly HashSet<Visit> _visits = [];
        private SmtpReply? _closing;
        private int _awaited;

        public bool IsClosing
        {
            get
            {
                lock (_visits)
                    return _closing is not null;
            }
        }

        public Visit Enter(SmtpServerSession session, CancellationToken stopping)
        {
            var visit = new Visit(this, session, stopping);
            lock (_visits)
            {
                _visits.Add(visit);
                if (_closing is { } reply)
                    session.Close(reply);
            }
            return visit;
        }

        public Task CloseAsync(SmtpReply reply)
        {
            lock (_visits)
            {
                if (_closing is not null)
                    return _empty.Task;
                _closing = reply;
                foreach (var visit in _visits)
                {
                    visit.IsAwaited = true;
                    visit.Session.Close(reply);
                }
                _awaited = _visits.Count;
                if (_awaited == 0)
                    _empty.TrySetResult();
            }
            return _empty.Task;
        }

        public void Abort()
        {
            lock (_visits)
                foreach (var visit in _visits)
                    visit.Abort();
        }

        private void Leave(Visit visit)
        {
            lock (_visits)
                if (_visits.Remove(visit) && visit.IsAwaited && --_awaited == 0)
                    _empty.TrySetResult();
        }

        public sealed class Visit(VirtualAddress at, SmtpServerSession session, CancellationToken stopping) : IDisposable
        {
            private readonly CancellationTokenSource _aborted = CancellationTokenSource.CreateLinkedTokenSource(stopping);

            public SmtpServerSession Session => session;

            /// <summary>It was there when the address was told to go.</summary>
            public bool IsAwaited { get; set; }

            public CancellationToken Aborted => _aborted.Token;

            // Not on the caller's thread: what waits for the token may leave from there.
            public void Abort() => _ = _aborted.CancelAsync();

            public void Dispose()
            {
                at.Leave(this);
                _aborted.Dispose();
            }
        }
    }
}
